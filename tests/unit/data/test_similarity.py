"""Similarity: the measure of the data cards, exact, in spaced and unspaced scripts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.similarity import NearIndex, jaccard, shingles, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Do you SELL tents?", ["do", "you", "sell", "tents"]),
        ("有帐篷吗？", ["有", "帐", "篷", "吗"]),
        ("云栖3帐篷多少钱", list("云栖3帐篷多少钱")),
        (
            "the 帐篷 model costs a lot of money",
            ["the", "帐篷", "model", "costs", "a", "lot", "of", "money"],
        ),
        ("テントはありますか", list("テントはありますか")),
        ("텐트 있어요?", ["텐트", "있어요"]),
        ("ราคา", list("ราคา")),
        ("?!", []),
    ],
)
def test_tokens_are_words_or_characters_by_the_script(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        ("how much is the big tent", "How much is the big tent?", 1.0),
        ("how much is the big tent", "how much is the small tent", 3 / 7),
        ("这个帐篷多少钱", "这个帐篷多少钱？", 1.0),
        ("这个帐篷多少钱", "那个帐篷多少钱", 5 / 7),
        ("yes", "yes", 1.0),
        ("?", "?", 0.0),
    ],
)
def test_similarity_is_the_jaccard_of_bigrams(a: str, b: str, similarity: float) -> None:
    assert jaccard(shingles(a), shingles(b)) == pytest.approx(similarity)


words = st.lists(st.sampled_from(["a", "b", "c", "你", "好", "帐", "?"]), max_size=6)
texts = words.map(" ".join) | words.map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, max_size=12), texts, st.sampled_from([0.2, 0.55, 1.0]))
def test_the_index_finds_what_comparing_with_everything_finds(
    indexed: list[str], query: str, threshold: float
) -> None:
    scores = [jaccard(shingles(text), shingles(query)) for text in indexed]
    near = [(i, score) for i, score in enumerate(scores) if score >= threshold]
    best = max(near, key=lambda pair: (pair[1], -pair[0])) if near else None
    assert NearIndex(indexed, threshold).nearest(query) == best
