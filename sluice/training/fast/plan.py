"""Which of the fast pieces a training takes, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluice.training.fast import adapter_linear, answer_loss, isolated_attention
from sluice.training.fast.inner import inner_model

_SEVERAL = "several processes train together, which the ordinary loss keeps in step"
_GPU = "on a GPU TRL's own loss and kernels are used"
_AGAIN = "activations are computed twice"
_ROUNDED = "weights are trained in fp32 and rounded for each product, which autocast does"
_COMPILED = "the recipe has the model compiled instead"
_EXPERTS = "a mixture of experts adds a loss of its own"


@dataclass(frozen=True, slots=True)
class Plan:
    """For each piece None if it is taken, else the reason why it is not."""

    loss: str | None
    flat_rows: str | None
    adapters: str | None
    parts: str | None

    def to_json(self) -> dict[str, str]:
        """The pieces that are not taken, with the reason."""
        pieces = {"loss": self.loss, "flat_rows": self.flat_rows, "adapters": self.adapters}
        pieces["parts"] = self.parts
        return {piece: reason for piece, reason in pieces.items() if reason}


def plan_for(
    model: Any, *, processes: int, checkpointing: bool, rounded: bool, compiled: bool
) -> Plan:
    """What applies to a model that is ready to be trained.

    `rounded`: under autocast. `compiled`: by PyTorch, which sees no more than the model's forward.
    """
    reason = _COMPILED if compiled else _never(model, processes)
    if reason:
        return Plan(reason, reason, reason, reason)
    loss = answer_loss.applies(model)
    if rounded:
        return Plan(loss, _ROUNDED, _ROUNDED, _ROUNDED)
    flat = loss or (_AGAIN if checkpointing else isolated_attention.applies(inner_model(model)))
    adapters = adapter_linear.applies(model)
    return Plan(loss, flat, adapters, None if loss is None else "the ordinary loss is taken")


def _never(model: Any, processes: int) -> str | None:
    if processes > 1:
        return _SEVERAL
    if model.device.type != "cpu":
        return _GPU
    config = model.config.get_text_config()
    if getattr(config, "output_router_logits", False) and getattr(
        config, "router_aux_loss_coef", 0.0
    ):
        return _EXPERTS
    return None
