"""The trainer's own process: TRL's SFTTrainer over prompt and answer, resumable at any step.

Run as `python -m sluice.training.worker REQUEST`; started by `sluice.training.launch`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerState, set_seed
from transformers.utils import logging as transformers_logging

from sluice.child_process import EventWriter, run_child
from sluice.errors import TrainingError
from sluice.training.chat import chat_digest, stop_ids
from sluice.training.checkpoints import drop_unfinished, newest_verified, step_of, verifies
from sluice.training.follow import Follower
from sluice.training.hardware import probed
from sluice.training.keeping import Keeper
from sluice.training.launch import group
from sluice.training.launch.whole_model import whole_model
from sluice.training.loading import load_tokenizer
from sluice.training.methods.apply import prepared
from sluice.training.provenance import environment_here
from sluice.training.refusals import refuse_nothing_learned
from sluice.training.request import TrainingRequest
from sluice.training.rows import RowCounts
from sluice.training.saving import save_model
from sluice.training.setting_up import about, trainer_for
from sluice.training.stopping import StopSignal
from sluice.training.templates import with_template
from sluice.training.validations import STATE, Validations


def train(fields: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Train one model and leave it in the request's `out`; returns facts about the training."""
    transformers_logging.disable_progress_bar()
    request = TrainingRequest.from_json(fields)
    group.join(probed().device)
    set_seed(request.settings.seed)
    tokenizer = with_template(
        load_tokenizer(Path(request.base_folder), trust_remote_code=request.remote_code),
        request.chat_template,
    )
    trainer, choices, counts = trainer_for(request, tokenizer)
    facts = about(trainer, request, choices, counts)
    resumed = group.from_first(lambda: newest_verified(Path(request.work)))
    step = step_of(resumed) if resumed else 0
    emit.keep(lambda event: event.get("step", 0) <= step)
    if resumed is None:
        _say_what_is_cut(counts, emit)
    trainer.add_callback(Follower(emit, step, facts))
    _steps(trainer, request, emit, resumed)
    refuse_nothing_learned(trainer.state.log_history)
    kept = _keep(trainer, request)
    model = whole_model(trainer, lambda: prepared(request, choices.precision, tokenizer))
    if model is not None:  # on the first process only
        save_model(model, tokenizer, request, Path(request.out), let_go=True)
        facts["chat_digest"] = chat_digest(tokenizer, stop_ids(model, tokenizer))
    group.wait_for_all()
    return {
        "precision": choices.precision,
        **facts,
        "steps": trainer.state.global_step,
        "kept_step": kept,
        "resumed_from_step": step,
        "environment": environment_here(),
    }


def _say_what_is_cut(counts: RowCounts, emit: EventWriter) -> None:
    left = (
        (counts.cut, "were longer than `training.max_length` or the context and lost their end"),
        (counts.without_answer, "lost all of it to that and are left out"),
        (counts.blank, "were blank and are left out"),
    )
    told = "; ".join(f"{count} {what}" for count, what in left if count)
    if told:
        total = counts.rows + counts.without_answer + counts.blank
        emit({"kind": "notice", "text": f"Of {total} answers {told}."})


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
