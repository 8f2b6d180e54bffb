"""Split: rows never change sides, and nothing that copies an evaluation row is trained on."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.split import NEAR_ANSWER, NEAR_QUESTION, Split, split_records
from sluice.recipe import DataSection
from tests.unit.data.rows import row

SHARES = DataSection(evaluation_share=0.3, validation_share=0.2)
HELD_OUT = DataSection(evaluation=Path("evaluation.jsonl"), validation_share=0.0)
questions = st.lists(st.text("abc你好 ", min_size=1, max_size=8), max_size=20, unique=True)


def sides(split: Split) -> dict[str, str]:
    named = (("t", split.train), ("v", split.validation), ("e", split.evaluation))
    return {r.id: name for name, rows in named for r in rows}


@settings(max_examples=150, deadline=None)
@given(questions, questions)
def test_a_row_never_moves_between_training_and_evaluation_when_a_month_arrives(
    january: list[str], february: list[str]
) -> None:
    old = [row(q, "yes", source="jan.jsonl", line=i) for i, q in enumerate(january, 1)]
    new = [row(q, "no", source="feb.jsonl", line=i) for i, q in enumerate(february, 1)]
    before, after = split_records(old, [], SHARES), split_records([*old, *new], [], SHARES)
    later = sides(after)
    gone = {removed.record.id for removed in after.removed}
    for record_id, side in sides(before).items():
        assert later.get(record_id) == side or (side != "e" and record_id in gone)


@settings(max_examples=100, deadline=None)
@given(questions, st.randoms(use_true_random=False))
def test_every_row_is_on_one_side_whatever_the_order(texts: list[str], random: object) -> None:
    rows = [row(q, "yes", line=i) for i, q in enumerate(texts, 1)]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    split = split_records(shuffled, [], SHARES)
    assert split == split_records(rows, [], SHARES)
    removed = [gone.record for gone in split.removed]
    everything = [*split.train, *split.validation, *split.evaluation, *removed]
    assert sorted(r.line for r in everything) == [r.line for r in rows]


def test_shares_are_about_what_was_asked_for() -> None:
    rows = [row(f"question{i}", f"answer{i}", line=i) for i in range(2000)]
    split = split_records(rows, [], SHARES)
    assert 0.26 < len(split.evaluation) / 2000 < 0.34
    assert 0.16 < len(split.validation) / len([*split.train, *split.validation]) < 0.24


def test_two_answers_to_one_question_land_on_the_same_side() -> None:
    for i in range(30):
        pair = [row(f"question{i}?", "yes", line=1), row(f"Question{i}? ", "no", line=2)]
        assert len(set(sides(split_records(pair, [], SHARES)).values())) == 1


def test_near_copies_of_held_out_rows_are_removed_with_their_twin_and_reason() -> None:
    held_out = [
        row("How long may I return a tent?", "Within forty days, unused, with the receipt."),
        row("帐篷可以退货吗？", "四十天内未使用并带小票即可退货。"),
    ]
    rows = [
        row("How long may I return a tent please?", "Forty days.", line=1),
        row("What about refunds?", "Within forty days, unused, and with the receipt.", line=2),
        row("请问帐篷可以退货吗", "可以。", line=3),
        row("退货要什么？", "四十天内未使用并带上小票即可退货。", line=4),
        row("Do you repair zips?", "Yes, for twelve euros.", line=5),
    ]
    split = split_records(rows, held_out, HELD_OUT)
    assert [(g.record.line, g.reason, g.evaluation_id) for g in split.removed] == [
        (1, NEAR_QUESTION, held_out[0].id),
        (2, NEAR_ANSWER, held_out[0].id),
        (3, NEAR_QUESTION, held_out[1].id),
        (4, NEAR_ANSWER, held_out[1].id),
    ]
    assert all(0.55 <= gone.similarity <= 1 for gone in split.removed)
    assert [r.line for r in split.train] == [5]
    assert split.evaluation == tuple(held_out)


def test_equal_short_answers_are_no_copies() -> None:
    held_out = [row("Thanks!", "You are welcome!"), row("谢谢", "不客气！")]
    rows = [row("Great help", "You are welcome!"), row("帮大忙了", "不客气！", line=2)]
    assert split_records(rows, held_out, HELD_OUT).removed == ()


def test_questions_without_any_word_are_compared_as_they_are() -> None:
    split = split_records([row("???"), row("!!!", line=2)], [row("???", "other")], HELD_OUT)
    assert [gone.record.question for gone in split.removed] == ["???"]
