"""Split: a row never changes sides, and the number of rows that are judged by has a bound."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.record import Record, table_of
from sluice.data.split import CHOSEN, RESERVE, draws_of, highest_chosen, sides_of
from sluice.recipe import DataSection
from tests.unit.data.rows import row, text

SHARES = DataSection(evaluation_share=0.3, validation_share=0.2)
FEW = DataSection(evaluation_share=0.3, validation_share=0.2, max_evaluation_rows=3)
AWAY = {CHOSEN, RESERVE}
questions = st.lists(st.text("abc你好 ", min_size=1, max_size=8), max_size=20, unique=True)


def split(rows: Sequence[Record], section: DataSection = SHARES) -> list[str]:
    """The side of each row."""
    draws = draws_of(table_of(rows))
    numbers = draws.evaluation[draws.evaluation < section.evaluation_share]
    return list(sides_of(draws, section, highest_chosen([numbers], section)))


@settings(max_examples=150, deadline=None)
@given(questions, questions)
def test_a_row_never_moves_between_training_and_evaluation_when_a_month_arrives(
    january: list[str], february: list[str]
) -> None:
    old = [row(q, "yes", source="jan.jsonl", line=i) for i, q in enumerate(january, 1)]
    new = [row(q, "no", source="feb.jsonl", line=i) for i, q in enumerate(february, 1)]
    assert split([*old, *new])[: len(old)] == split(old)
    for before, after in zip(split(old, FEW), split([*old, *new], FEW), strict=False):
        # Where only a few are judged by, a row may have to make room for one with a lower number.
        assert after == before or (before, after) == (CHOSEN, RESERVE)


@settings(max_examples=100, deadline=None)
@given(questions, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(texts: list[str], random: object) -> None:
    rows = [row(q, "yes", line=i) for i, q in enumerate(texts, 1)]
    sides = dict(zip([r.line for r in rows], split(rows, FEW), strict=True))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert dict(zip([r.line for r in rows], split(rows, FEW), strict=True)) == sides


@given(
    st.lists(st.lists(st.floats(0, 0.29), max_size=6), max_size=4),
    st.integers(1, 5),
)
def test_no_more_rows_are_chosen_than_allowed_also_of_one_question(
    numbers: list[list[float]], most: int
) -> None:
    section = DataSection(evaluation_share=0.3, max_evaluation_rows=most)
    every = sorted(number for part in numbers for number in part)
    highest = highest_chosen([sorted(part)[: most + 1] for part in numbers], section)
    chosen = [number for number in every if number <= highest]
    assert len(chosen) <= most
    assert chosen == every[: len(chosen)]
    if len(set(every)) == len(every):  # each question once: as many as there may be
        assert len(chosen) == min(most, len(every))


def test_shares_are_about_what_was_asked_for() -> None:
    sides = split([row(f"question{i}", f"answer{i}", line=i) for i in range(1, 2001)])
    trained = [side for side in sides if side not in AWAY]
    assert 0.26 < 1 - len(trained) / 2000 < 0.34
    assert 0.16 < trained.count("validation") / len(trained) < 0.24


def test_two_answers_to_one_question_land_on_the_same_side() -> None:
    for i in range(30):
        pair = [row(f"question{i}?", "yes", line=1), row(f"Question{i}? ", "no", line=2)]
        assert len(set(split(pair))) == 1


def test_plain_text_is_divided_by_what_it_says() -> None:
    rows = [text(f"A text about tent number {i}.", line=i) for i in range(1, 301)]
    sides = split(rows)
    assert set(sides) == {"train", "validation", CHOSEN}
    assert split(list(reversed(rows))) == list(reversed(sides))
