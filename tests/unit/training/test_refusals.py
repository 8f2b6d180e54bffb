from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.refusals import (
    refuse_nothing_learned,
    refuse_nothing_to_learn,
    trainable_parameters,
)
from sluice.training.rows import RowCounts


def counts(**changes: int) -> RowCounts:
    usual = {"rows": 24, "tokens": 900, "answer_tokens": 300}
    none = {field.name: 0 for field in fields(RowCounts)}
    return RowCounts(**{**none, **usual, **changes})


def refuse(of: RowCounts, *, has_validation: bool = True, **settings: Any) -> None:
    refuse_nothing_to_learn(of, TrainingSection(**settings), has_validation=has_validation)


@pytest.mark.parametrize("nothing", [{"rows": 0}, {"answer_tokens": 0}])
def test_rows_without_answers_are_refused(nothing: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match="There is nothing to learn"):
        refuse(counts(**nothing))


def test_answers_that_all_lose_their_end_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"None of 24 answers is whole.*\(64 tokens\)"):
        refuse(counts(cut=24), max_length=64)
    refuse(counts(cut=23), max_length=64)
    refuse(counts(cut=24, without_answer=9), max_length=64)  # nine that are not among the 24


@pytest.mark.parametrize("needs", [{"keep": "best"}, {"early_stopping": 2}])
def test_what_goes_by_validation_needs_rows_for_it(needs: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"no validation rows\. Raise `data\.validation_share`"):
        refuse(counts(), has_validation=False, **needs)
    refuse(counts(), has_validation=True, **needs)


def test_a_model_of_which_nothing_is_trained_is_refused() -> None:
    layer = torch.nn.Linear(3, 2)
    assert trainable_parameters(layer) == 8
    with pytest.raises(TrainingError, match="No parameter"):
        trainable_parameters(layer.requires_grad_(False))


def test_losses_of_zero_throughout_are_refused() -> None:
    refuse_nothing_learned([{"loss": 0.0}, {"eval_loss": 1.0}, {"loss": 0.1}])
    for history in ([], [{"loss": 0.0}, {"loss": 0.0}]):
        with pytest.raises(TrainingError, match="nothing was learned"):
            refuse_nothing_learned(history)
