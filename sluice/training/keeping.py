"""When a training validates, saves and stops, such that a resumed one does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from sluice.child_process import EventWriter
from sluice.recipe import TrainingSection
from sluice.training.checkpoints import let_go, publish
from sluice.training.launch import group
from sluice.training.stopping import StopSignal
from sluice.training.validations import Validations


class Keeper(TrainerCallback):
    """Publishes checkpoints, keeps the best one, and stops early or when it is asked to.

    What belongs to a step is done before its checkpoint is written: the validation, too. One that
    comes after it (transformers' own at an epoch's end) would be missed by a training that
    resumes there.
    """

    def __init__(
        self, emit: EventWriter, work: Path, settings: TrainingSection, stop: StopSignal
    ) -> None:
        self._emit, self._work, self._settings, self._stop = emit, work, settings, stop

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Of several processes some may be asked a step later: their saving would never meet.
        if group.count() == 1:
            self._stop.listen()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        over = state.epoch.is_integer() or state.global_step >= state.max_steps
        if args.eval_strategy == "epoch" and over:
            control.should_evaluate = True
        if self._stop.asked:
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        found = Validations.of(state.log_history)
        if self._settings.keep == "best" and found.best_step == state.global_step:
            control.should_save = True
        if found.no_better_for(self._settings.early_stopping):
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_evaluate = False  # it was done with the epoch's last step

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        group.wait_for_all()
        if group.is_first():
            written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            publish(written, self._work)
            best = Validations.of(state.log_history).best_step
            let_go(self._work, self._settings.keep_checkpoints, [] if best is None else [best])
            self._emit({"kind": "checkpoint", "step": state.global_step})
        group.wait_for_all()
