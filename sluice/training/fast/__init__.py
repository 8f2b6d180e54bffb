"""A training step for CPUs that computes what TRL's does, without what it computes in vain.

    answer_loss         cross-entropy at answer positions only    any head that is a plain linear
    flat_rows           a batch as one row without padding        with isolated_attention
    isolated_attention  each row attends to itself alone          softmax attention, no soft cap
    adapter_linear      LoRA layers as one operation              plain LoRA without dropout
    layer_parts         norms, gates, rotations by hand           those that are the usual ones

`plan` says which of them a training takes, and why not the others. Where a family cannot be told by
its configuration, the model itself is asked, on a few tokens.
"""
