"""Similarity: the measure of the data cards, exact, in spaced and unspaced scripts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.similarity import folded, jaccard, shingles, tokens_of
from sluice.data.similarity.fold import fold_texts
from sluice.data.similarity.hashed import HashedRows, hashed_shingles, hashed_tokens, token_hash

pa: Any = pyarrow


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


texts_of_any_script = st.text() | st.text(
    st.sampled_from(
        "aB1_ \n\u3000?éÉe\u0301ßẞİſΣςǅ你好帐3ㄱ가ᄀ\u1161กำ\u0e38नी\u093cＡ１２٣①"
        "\U0001f600\u200b\ufe0f"
    )
)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts_of_any_script | texts, max_size=5))
def test_a_column_is_folded_as_each_text_alone(column: list[str]) -> None:
    found = fold_texts(pa.array(column, pa.string()))
    assert [found.text(i) for i in range(len(found))] == [folded(text) for text in column]


@settings(max_examples=300, deadline=None)
@given(st.lists(texts_of_any_script | texts, max_size=5))
def test_a_column_has_the_tokens_and_shingles_of_each_text_alone(column: list[str]) -> None:
    tokens = hashed_tokens(fold_texts(pa.array(column, pa.string())))
    pairs = hashed_shingles(tokens)
    for i, text in enumerate(column):
        assert row_of(tokens, i) == [token_hash(token) for token in tokens_of(text)]
        assert len(set(row_of(pairs, i))) == len(row_of(pairs, i)) == len(shingles(text))


@settings(max_examples=200, deadline=None)
@given(texts, texts)
def test_hashed_shingles_are_as_alike_as_the_shingles(a: str, b: str) -> None:
    pairs = hashed_shingles(hashed_tokens(fold_texts(pa.array([a, b], pa.string()))))
    of_a, of_b = set(row_of(pairs, 0)), set(row_of(pairs, 1))
    assert len(of_a & of_b) == len(shingles(a) & shingles(b))
    salted = hashed_shingles(hashed_tokens(fold_texts(pa.array([a], pa.string()))), salt=1)
    assert not of_a & set(row_of(salted, 0))


def test_a_slice_of_a_column_and_nulls_are_folded_like_any_other() -> None:
    column = pa.array(["ONE", "Two  words", None, "你 好", "É"], pa.string()).slice(1)
    found = fold_texts(column)
    assert [found.text(i) for i in range(4)] == ["two words", "", "你 好", "é"]
    assert found.unspaced.tolist() == [False, False, True, False]
    assert [found.take(np.array([2, -1])).text(i) for i in range(2)] == ["你 好", ""]


def test_every_code_point_folds_as_python_folds_it() -> None:
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = ["".join(points[i : i + 64]) for i in range(0, len(points), 64)]
    found = fold_texts(pa.array(texts, pa.string()))
    assert all(found.text(i) == folded(text) for i, text in enumerate(texts))
    single = fold_texts(pa.array(points[:0x33480], pa.string()))
    assert all(single.text(i) == folded(text) for i, text in enumerate(points[:0x33480]))


def row_of(rows: HashedRows, number: int) -> list[int]:
    return rows.hashes[rows.offsets[number] : rows.offsets[number + 1]].tolist()
