"""The trainer's own process: TRL's SFTTrainer over prompt and answer, resumable at any step.

Run as `python -m sluice.training.worker REQUEST`; started by `sluice.training.launch`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerState, set_seed
from transformers.utils import logging as transformers_logging

from sluice.child_process import EventWriter, run_child
from sluice.data.parts import read_records
from sluice.errors import TrainingError
from sluice.training.arguments import arguments_of
from sluice.training.checkpoints import (
    UNFINISHED,
    drop_unfinished,
    newest_verified,
    step_of,
    verifies,
)
from sluice.training.choices import Choices, choose
from sluice.training.follow import Follower
from sluice.training.keeping import Keeper
from sluice.training.launch import group
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.methods.apply import with_method
from sluice.training.methods.resuming import callbacks_for
from sluice.training.refusals import (
    refuse_nothing_learned,
    refuse_nothing_to_learn,
    trainable_parameters,
)
from sluice.training.request import TrainingRequest
from sluice.training.rows import RowCounts, tokenised
from sluice.training.saving import save_model
from sluice.training.stopping import StopSignal
from sluice.training.trainer import Trainer
from sluice.training.validations import STATE, Validations


def train(fields: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Train one model and leave it in the request's `out`; returns facts about the training."""
    transformers_logging.disable_progress_bar()
    request = TrainingRequest.from_json(fields)
    choices = choose(request.settings)
    set_seed(request.settings.seed)
    tokenizer = load_tokenizer(Path(request.base_folder))
    trainer, counts = _trainer(request, choices, tokenizer)
    about = _about(trainer, request, choices, counts)
    resumed = group.from_first(lambda: newest_verified(Path(request.work)))
    step = step_of(resumed) if resumed else 0
    emit.keep(lambda event: event.get("step", 0) <= step)
    if resumed is None:
        _say_what_is_cut(counts, emit)
    trainer.add_callback(Follower(emit, step, about))
    _steps(trainer, request, emit, resumed)
    refuse_nothing_learned(trainer.state.log_history)
    kept = _keep(trainer, request)
    save_model(trainer.model, tokenizer, request, Path(request.out))
    facts = {"steps": trainer.state.global_step, "kept_step": kept, "resumed_from_step": step}
    return {"precision": choices.precision, **about, **facts}


def _trainer(request: TrainingRequest, choices: Choices, tokenizer: Any) -> tuple[Any, RowCounts]:
    settings = request.settings
    rows, counts = _rows(request.train, request, tokenizer)
    validation, _ = _rows(request.validation, request, tokenizer)
    validated = len(validation) > 0
    refuse_nothing_to_learn(counts, settings, has_validation=validated)
    base = load_base(Path(request.base_folder), choices.precision)
    model = with_method(base, settings, tokenizer)
    trainer = Trainer(
        model=model,
        args=arguments_of(
            settings, choices, Path(request.work) / UNFINISHED, has_validation=validated
        ),
        train_dataset=rows,
        eval_dataset=validation if validated else None,
        processing_class=tokenizer,
        callbacks=callbacks_for(settings, model),
    )
    return trainer, counts


def _rows(folder: str, request: TrainingRequest, tokenizer: Any) -> tuple[Any, RowCounts]:
    records = read_records(Path(folder))
    return tokenised(records, tokenizer, request.system_prompt, request.settings.max_length)


def _about(
    trainer: Any, request: TrainingRequest, choices: Choices, counts: RowCounts
) -> dict[str, Any]:
    # As they are in effect: a recovery from too little memory changes the first two.
    settings, processes = request.settings, trainer.args.world_size
    batch = {
        "batch_size": settings.batch_size,
        "gradient_accumulation": settings.gradient_accumulation,
        "processes": processes,
        "rows_per_step": settings.batch_size * settings.gradient_accumulation * processes,
    }
    return {
        "choices": choices.to_json(),
        "rows": counts.to_json(),
        "effective_batch": batch,
        "trainable_parameters": trainable_parameters(trainer.model),
    }


def _say_what_is_cut(counts: RowCounts, emit: EventWriter) -> None:
    if counts.cut or counts.blank:
        text = (
            f"{counts.cut} answers lost their end to `training.max_length`, "
            f"{counts.without_answer} of them all of it; {counts.blank} answers hold no text. "
            f"{counts.rows} rows are left to train on."
        )
        emit({"kind": "notice", "text": text})


def _steps(trainer: Any, request: TrainingRequest, emit: EventWriter, resumed: Path | None) -> None:
    """Do the steps that are left."""
    work, settings = Path(request.work), request.settings
    if resumed and Validations.in_checkpoint(resumed).no_better_for(settings.early_stopping):
        _load(trainer, resumed)  # it had stopped early, and only its model was not saved yet
        trainer.state = TrainerState.load_from_json(str(resumed / STATE))
        return
    if resumed:
        trainer._total_train_tokens = _tokens_before(resumed)  # TRL counts from 0 again
    stop = StopSignal()
    trainer.add_callback(Keeper(emit, work, settings, stop))
    try:
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    finally:
        stop.ignore()
        if group.is_first():
            drop_unfinished(work)
    stop.raise_if_asked(trainer.state.global_step, trainer.state.max_steps)


def _tokens_before(checkpoint: Path) -> int:
    history = TrainerState.load_from_json(str(checkpoint / STATE)).log_history
    return int(next((e["num_tokens"] for e in reversed(history) if "num_tokens" in e), 0))


def _keep(trainer: Any, request: TrainingRequest) -> int:
    """Take the weights that the recipe wants to keep; returns the step that they are from."""
    last = trainer.state.global_step
    best = Validations.of(trainer.state.log_history).best_step
    if request.settings.keep == "last" or best is None or best == last:
        return last
    checkpoint = Path(request.work) / f"checkpoint-{best}"
    if not verifies(checkpoint):
        raise TrainingError(
            f"The checkpoint with the lowest validation loss, {checkpoint}, is damaged or gone. "
            "Set `training.keep: last`, or delete the folder that it was in and train again."
        )
    group.wait_for_all()
    _load(trainer, checkpoint)
    return best


def _load(trainer: Any, checkpoint: Path) -> None:
    # The trainer's own way, by which it resumes: it knows adapters and shared weights.
    trainer._load_from_checkpoint(str(checkpoint))


if __name__ == "__main__":
    run_child(train)
