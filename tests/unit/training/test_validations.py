from __future__ import annotations

from sluice.training.validations import Validations


def of(*losses: float) -> Validations:
    return Validations(tuple((10 * number, loss) for number, loss in enumerate(losses, 1)))


def test_the_first_of_the_lowest_is_the_best() -> None:
    assert of(3.0, 1.0, 2.0, 1.0).best_step == 20
    assert of().best_step is None


def test_patience_counts_losses_that_are_no_better_than_the_best() -> None:
    assert not of(3.0, 1.0).no_better_for(1)
    assert of(3.0, 1.0, 1.0).no_better_for(1)
    assert not of(3.0, 1.0, 2.0).no_better_for(2)
    assert of(3.0, 1.0, 2.0, 1.5).no_better_for(2)
    assert not of(3.0, 4.0, 5.0).no_better_for(None)
    assert not of().no_better_for(1)


def test_they_come_out_of_transformers_history() -> None:
    history = [{"step": 1, "loss": 5.0}, {"step": 2, "eval_loss": 4.0}, {"step": 2, "loss": 3.0}]
    assert Validations.of(history) == Validations(((2, 4.0),))
