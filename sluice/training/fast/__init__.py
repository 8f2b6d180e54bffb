"""A training step for CPUs that computes what TRL's does, without what it computes in vain.

    answer_loss         cross-entropy at answer positions only    any head that is a plain linear
    flat_rows           a batch as one row without padding        with isolated_attention
    isolated_attention  each row attends to itself alone          softmax attention, no soft cap
    adapter_linear      a LoRA layer as one operation             plain LoRA without dropout

Each has `applies(model)`: None, or the reason why the ordinary path must be taken. Where a family
cannot be told by its configuration, the model itself is asked, on a few tokens.
"""
