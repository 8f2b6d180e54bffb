"""AdaLoRA's part in each step: hold the matrices orthogonal, and cut the least important ranks.

Zhang and others 2023, arXiv 2303.10512: equation 4 (orthogonality), 8 to 10 (importance) and 12
(how the budget falls with the third power of time).
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

ORTHOGONALITY = 0.5  # PEFT's weight of the penalty; the paper takes 0.1 to 0.5
WARM, FINAL = 0.1, 1 / 3  # shares of the steps before the first cut, and after the last
CUTS = 100  # times that ranks are cut in between


class RankBudget(TrainerCallback):
    """Needs PEFT's AdaLoRA. An adapter that was cut in an earlier training keeps its ranks."""

    def __init__(self, model: Any) -> None:
        self._tuner: Any = model.base_model
        self._config: Any = model.peft_config["default"]
        self._cuts = self._config.rank_pattern is None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        steps = max(2, state.max_steps)
        self._config.total_step = steps
        self._config.tinit = int(WARM * steps)
        self._config.tfinal = max(1, int(FINAL * steps))
        self._config.deltaT = max(1, steps // CUTS)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # PEFT adds the penalty to the model's own loss; TRL computes another one.
        penalties = [_far_from_orthogonal(name, p) for name, p in self._matrices()]
        penalty: Any = ORTHOGONALITY * torch.stack(penalties).mean()
        penalty.backward()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._cuts:  # the gradients, which it reads, are still there
            self._tuner.update_and_allocate(state.global_step)

    def _matrices(self) -> list[tuple[str, torch.Tensor]]:
        named = self._tuner.model.named_parameters()
        return [(name, p) for name, p in named if "lora_A" in name or "lora_B" in name]


def _far_from_orthogonal(name: str, matrix: Any) -> torch.Tensor:
    product = matrix @ matrix.T if "lora_A" in name else matrix.T @ matrix
    return (product - torch.eye(len(product), device=product.device)).norm()
