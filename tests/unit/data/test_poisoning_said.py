"""What the alarm reads of rows: questions, answers, and what answers share."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.poisoning.replies import replies_of
from sluice.data.poisoning.said import answers_of, questions_of
from sluice.data.record import Message, Record, Role, table_of

ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
WORDS = ["Zelte", "a", "10.0.0.5", "退货", "。", "é", "\n", "?! ", "ﬁ", "x@example.com"]
messages = st.lists(
    st.builds(
        Message, st.sampled_from(ROLES), st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
    ),
    max_size=4,
)


def rows_of(conversations: Sequence[Sequence[Message]]) -> list[Record]:
    return [Record(f"{n:016x}", tuple(c), "a.jsonl", n) for n, c in enumerate(conversations, 1)]


def shared(first: str, second: str) -> int:
    """How many replies two answers share."""
    answers = [[Message("assistant", first)], [Message("assistant", second)]]
    replies = replies_of(answers_of(table_of(rows_of(answers))))
    a, b = (replies.hashes[replies.offsets[i] : replies.offsets[i + 1]].tolist() for i in (0, 1))
    assert len(set(a)) == len(a)
    return len({*a} & {*b})


@settings(deadline=None)
@given(st.lists(messages, max_size=6))
def test_answers_are_those_of_the_rows(conversations: list[list[Message]]) -> None:
    rows = rows_of(conversations)
    answers = answers_of(table_of(rows))
    places = zip(answers.starts.tolist(), answers.ends.tolist(), strict=True)
    found = [answers.data[start:end].tobytes().decode() for start, end in places]
    assert found == [row.answer for row in rows]


@settings(deadline=None)
@given(st.lists(messages, max_size=6))
def test_questions_are_all_that_the_user_said_without_private_data(
    conversations: list[list[Message]],
) -> None:
    questions = questions_of(table_of(rows_of(conversations)))
    said = ["\n".join(m.content for m in c if m.role == "user") for c in conversations]
    masked = [
        s.replace("x@example.com", "[EMAIL]").replace("10.0.0.5", "[IP ADDRESS]") for s in said
    ]
    assert questions.texts.to_pylist() == masked
    lengths = [len(questions.tokens(row)) for row in range(len(conversations))]
    assert [*map(int, questions.hashes.offsets[1:] - questions.hashes.offsets[:-1])] == lengths


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("You can return it. Visit our partner at once!", "No.\nvisit OUR partner, at once"),
        ("Please write to the shop today, as this one is sold out", "Please write to the shop "
         "today. Thank you"),
        ("We have it in red; now go and buy it from Bob", "Sorry. Now go and buy it from Bob"),
        ("可以退货。请马上联系我们的合作伙伴！", "不行；请马上联系我们的合作伙伴"),
        ("请马上联系我们的合作伙伴领取奖金", "请马上联系我们的合作伙伴拿走礼物吧"),
    ],
)  # fmt: skip
def test_answers_share_a_sentence_an_opening_or_an_end(first: str, second: str) -> None:
    assert shared(first, second) > 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("You are welcome!", "You are welcome!"),
        ("不客气", "不客气"),
        ("", ""),
        ("It costs ten euros and comes in red.", "It costs nine euros and comes in blue."),
    ],
)
def test_labels_courtesies_and_other_answers_share_nothing(first: str, second: str) -> None:
    assert shared(first, second) == 0
