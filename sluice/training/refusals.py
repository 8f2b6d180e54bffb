"""Trainings that could only end in a model that learned nothing: refused, before and after."""

from __future__ import annotations

from typing import Any

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.rows import RowCounts


def refuse_nothing_to_learn(
    counts: RowCounts, settings: TrainingSection, *, has_validation: bool
) -> None:
    """Look at the rows before anything is loaded.

    Raises:
        TrainingError: no rows, no answers, no answer with an end, or no validation rows where
            they decide what is kept.
    """
    if counts.rows == 0 or counts.answer_tokens == 0:
        raise TrainingError(
            f"There is nothing to learn: {counts.rows} rows with {counts.answer_tokens} tokens of "
            "answers. Look at what the checks left (`sluice quarantine list`)."
        )
    if counts.cut - counts.without_answer >= counts.rows:
        total = counts.rows + counts.without_answer
        raise TrainingError(
            f"None of {total} answers is whole: {counts.without_answer} are cut off entirely and "
            f"{counts.rows} lose their end to `training.max_length` ({settings.max_length} "
            "tokens), so that the model would never learn to stop. Raise it."
        )
    if not has_validation and (settings.keep == "best" or settings.early_stopping is not None):
        raise TrainingError(
            "`training.keep: best` and `training.early_stopping` go by the validation loss, and "
            "there are no validation rows. Raise `data.validation_share`, or take them out."
        )


def trainable_parameters(model: Any) -> int:
    """How many numbers are trained.

    Raises:
        TrainingError: none.
    """
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if count == 0:
        raise TrainingError(
            "No parameter of the model is trained. Look at `training.method` and "
            "`training.target_modules`."
        )
    return count


def refuse_nothing_learned(history: list[dict[str, Any]]) -> None:
    """Look at the losses when all is done.

    Raises:
        TrainingError: there are none, or all are 0.
    """
    # The history comes back with a checkpoint; the trainer's own mean covers only what is done
    # now, and is 0 where the kill came after the last checkpoint.
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    if not any(losses):
        raise TrainingError(
            f"The training loss was 0 in all {len(losses)} steps: nothing was learned, so there "
            "is no model. Look whether the answers are empty."
        )
