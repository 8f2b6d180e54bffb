"""The trainer's own process: TRL's SFTTrainer over prompt and answer, resumable at any step.

Run as `python -m sluice.training.worker REQUEST`; started by `sluice.training.train`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from transformers import set_seed
from transformers.utils import logging as transformers_logging

from sluice.child_process import EventWriter, run_child
from sluice.data.parts import read_records
from sluice.errors import TrainingError
from sluice.training.arguments import arguments_of
from sluice.training.checkpoints import newest_verified, step_of
from sluice.training.choices import Choices, choose
from sluice.training.follow import Follower
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.methods.apply import with_method
from sluice.training.request import TrainingRequest
from sluice.training.rows import RowCounts, tokenised
from sluice.training.saving import save_model
from sluice.training.trainer import Trainer


def train(fields: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Train one model and leave it in the request's `out`; returns facts about the training."""
    transformers_logging.disable_progress_bar()
    request = TrainingRequest.from_json(fields)
    work = Path(request.work)
    choices = choose(request.settings)
    set_seed(request.settings.seed)
    tokenizer = load_tokenizer(Path(request.base_folder))
    trainer, counts = _trainer(request, choices, tokenizer)
    resumed = newest_verified(work)
    step = step_of(resumed) if resumed else 0
    emit.keep(lambda event: event.get("step", 0) <= step)
    trainer.add_callback(Follower(emit, work, step))
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    _refuse_nothing_learned(trainer.state.log_history)
    save_model(trainer.model, tokenizer, request, Path(request.out))
    return {
        "precision": choices.precision,
        "choices": choices.to_json(),
        "rows": counts.to_json(),
        "steps": trainer.state.global_step,
        "resumed_from_step": step,
        "trainable_parameters": _trainable(trainer.model),
    }


def _trainer(request: TrainingRequest, choices: Choices, tokenizer: Any) -> tuple[Any, RowCounts]:
    settings = request.settings
    rows, counts = _rows(request.train, request, tokenizer)
    validation, _ = _rows(request.validation, request, tokenizer)
    model = load_base(Path(request.base_folder), choices.precision)
    trainer = Trainer(
        model=with_method(model, settings, tokenizer),
        args=arguments_of(
            settings, choices, Path(request.work), has_validation=len(validation) > 0
        ),
        train_dataset=rows,
        eval_dataset=validation if len(validation) else None,
        processing_class=tokenizer,
    )
    return trainer, counts


def _rows(folder: str, request: TrainingRequest, tokenizer: Any) -> tuple[Any, RowCounts]:
    records = read_records(Path(folder))
    return tokenised(records, tokenizer, request.system_prompt, request.settings.max_length)


def _refuse_nothing_learned(history: list[dict[str, Any]]) -> None:
    # The history comes back with a checkpoint; the trainer's own mean covers only what is done
    # now, and is 0 where the kill came after the last checkpoint.
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    loss = sum(losses) / len(losses) if losses else 0.0
    if not math.isfinite(loss) or loss == 0.0:
        raise TrainingError(
            f"The mean training loss is {loss}: nothing was learned, so there is no model. "
            "Lower `training.learning_rate`, or look whether the answers are empty."
        )


def _trainable(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


if __name__ == "__main__":
    run_child(train)
