"""The trained model in one piece again, on the process that saves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluice.errors import TrainingError
from sluice.training.launch import group


def whole_model(trainer: Any, build: Callable[[], Any]) -> Any:
    """The trained model without the others' wrapping, on the first process; None on the rest.

    Every process has to call it. Where the model is shared (FSDP, DeepSpeed), the first one builds
    the untrained model again and takes over what was trained, gathered from all.

    Args:
        trainer: transformers' trainer, at the end of its training.
        build: makes the model as it was before training, on the CPU.

    Raises:
        TrainingError: something that was trained has no place in the model that is saved.
    """
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return trainer.accelerator.unwrap_model(trainer.model) if group.is_first() else None
    trained = (name for name, weights in trainer.model.named_parameters() if weights.requires_grad)
    names = {_plain(name) for name in trained}
    gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not group.is_first():
        return None
    model = build()
    found = {name: gathered[name] for name in names if name in gathered}
    unknown = model.load_state_dict(found, strict=False).unexpected_keys
    if unknown or len(found) < len(names):
        lost = sorted({*unknown, *(names - set(found))})
        raise TrainingError(
            f"{len(lost)} of {len(names)} trained tensors could not be gathered for saving (first: "
            f"{lost[0]}). The checkpoints are kept. Train with `training.launcher.strategy: ddp`."
        )
    return model


def _plain(name: str) -> str:
    """A parameter's name without what activation checkpointing and compilation put into it."""
    return name.replace("_checkpoint_wrapped_module.", "").replace("_orig_mod.", "")
