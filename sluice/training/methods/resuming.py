"""What a checkpoint of some methods must hold beside what PEFT writes into it.

PEFT saves an adapter as it is served. Prefix and P-Tuning are then only their vectors, without
the network that writes them; AdaLoRA only the ranks that are left, without their importance.
None of these could go on from there as if nothing had happened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from transformers import TrainerCallback

from sluice.recipe import TrainingSection
from sluice.training.methods.rank_budget import RankBudget

STATE = "method.safetensors"
_KEPT_APART = frozenset({"adalora", "prefix", "p_tuning"})
_tensors: Any = safetensors.torch  # typed in part only


def callbacks_for(settings: TrainingSection, model: Any) -> list[TrainerCallback]:
    """What a method does in and between steps; to be given to the trainer when it is made.

    They precede whatever is added later, so that a checkpoint is whole when it is sealed.
    """
    callbacks: list[TrainerCallback] = [FullPrecision()]
    if settings.method == "adalora":
        callbacks.append(RankBudget(model))
    if settings.method in _KEPT_APART:
        callbacks.append(StateKeeper())
    return callbacks


class FullPrecision(TrainerCallback):
    """Undo TRL's rounding of QLoRA's adapter to bf16, in which small steps of training are lost."""

    def on_init_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        for parameter in more["model"].parameters():
            if parameter.requires_grad and parameter.dtype == torch.bfloat16:
                parameter.data = parameter.data.float()


class StateKeeper(TrainerCallback):
    """Writes a method's own state into each checkpoint."""

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.is_world_process_zero:
            keep_state(more["model"], Path(args.output_dir) / f"checkpoint-{state.global_step}")


def keep_state(model: Any, checkpoint: Path) -> None:
    """Write everything that is trained, and AdaLoRA's measures of importance."""
    state = {f"trained:{n}": p for n, p in model.named_parameters() if p.requires_grad}
    allocator: Any = getattr(model.base_model, "rankallocator", None)
    if allocator is not None:
        state |= {f"sensitivity:{n}": t for n, t in allocator.exp_avg_ipt.items()}
        state |= {f"uncertainty:{n}": t for n, t in allocator.exp_avg_unc.items()}
        kept: dict[str, list[bool]] = model.peft_config["default"].rank_pattern or {}
        state |= {f"kept:{n}": torch.tensor(mask) for n, mask in kept.items()}
    found = {name: state[name].detach().cpu().contiguous() for name in sorted(state)}
    _tensors.save_file(found, str(checkpoint / STATE))


def restored(model: Any, checkpoint: Path) -> bool:
    """Take over the state that `keep_state` wrote; False if this checkpoint has none."""
    if not (checkpoint / STATE).exists():
        return False
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in _tensors.load_file(str(checkpoint / STATE)).items():
        kind, _, rest = name.partition(":")
        parts.setdefault(kind, {})[rest] = tensor
    _take_over(model, parts["trained"])
    allocator: Any = getattr(model.base_model, "rankallocator", None)
    if allocator is not None:
        _restore_budget(model, allocator, parts)
    return True


def _take_over(model: Any, trained: dict[str, torch.Tensor]) -> None:
    parameters: dict[str, Any] = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in trained.items():
            parameters[name].copy_(tensor)


def _restore_budget(model: Any, allocator: Any, parts: dict[str, dict[str, torch.Tensor]]) -> None:
    sensitivity = parts.get("sensitivity", {})
    allocator.exp_avg_ipt = {n: t.to(model.device) for n, t in sensitivity.items()}
    allocator.exp_avg_unc = {n: t.to(model.device) for n, t in parts.get("uncertainty", {}).items()}
    allocator.ipt = {n: torch.zeros_like(t) for n, t in allocator.exp_avg_ipt.items()}
    if "kept" in parts:
        kept: dict[str, Any] = dict(parts["kept"])
        masks = {name: mask.tolist() for name, mask in kept.items()}
        model.peft_config["default"].rank_pattern = masks
