"""The benchmarks' rows are what their labels say, and the scores are what they claim."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.corpus import KINDS, read_labels, write_corpus
from benchmarks.near_scores import NearScores, near_scores
from sluice.data.similarity import jaccard, shingles

ROWS = 4000
Corpus = tuple[list[dict[str, str]], dict[int, tuple[str, int | None]]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("corpus") / "rows.jsonl"
    write_corpus(path, ROWS, seed=3)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return rows, dict(read_labels(path))


def text(row: dict[str, str]) -> str:
    return f"{row['instruction']}\n{row['output']}"


def test_rows_are_about_a_kilobyte_and_some_are_chinese(corpus: Corpus) -> None:
    rows, _ = corpus
    assert [row["id"] for row in rows] == [f"r{i:08d}" for i in range(ROWS)]
    mean = sum(len(json.dumps(row, ensure_ascii=False).encode()) for row in rows) / ROWS
    assert 900 < mean < 1100
    chinese = sum("。" in row["output"] for row in rows)
    assert 0.13 < chinese / ROWS < 0.17


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_corpus(tmp_path / name, 300, seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_labels_tell_the_truth(corpus: Corpus) -> None:
    rows, labels = corpus
    for row, (kind, of) in labels.items():
        if of is None:
            continue
        assert of < row
        pairs = [[shingles(text(rows[i]), n) for i in (row, of)] for n in (2, 5)]
        alike = [jaccard(*pair) for pair in pairs]
        if kind == "exact":
            assert text(rows[row]) == text(rows[of])
        elif kind in ("near", "swapped"):
            assert rows[row]["instruction"] == rows[of]["instruction"]
            assert text(rows[row]) != text(rows[of])
            assert min(alike) > 0.8
        else:
            assert max(alike) < 0.5


def test_there_are_as_many_of_each_kind_as_said(corpus: Corpus) -> None:
    _, labels = corpus
    counts = Counter(kind for kind, _ in labels.values())
    for kind, share in KINDS.items():
        assert 0.6 * share < counts[kind] / ROWS < 1.4 * share
    near = [of for kind, of in labels.values() if kind == "near"]
    assert len(set(near)) == len(near)


def test_unlabelled_rows_are_like_no_other(corpus: Corpus) -> None:
    rows, labels = corpus
    texts = [text(row) for i, row in enumerate(rows) if i not in labels]
    assert len(set(texts)) == len(texts)


LABELS = {
    3: ("near", 0),
    4: ("exact", 0),
    5: ("swapped", 1),
    6: ("near", 2),
}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({0, 1, 2, 5}, NearScores(recall=1.0, precision=1.0, swapped_kept=1.0)),
        ({3, 1, 6, 5}, NearScores(recall=1.0, precision=1.0, swapped_kept=1.0)),
        ({0, 1, 2, 3, 5}, NearScores(recall=0.5, precision=1.0, swapped_kept=1.0)),
        ({0, 2}, NearScores(recall=1.0, precision=2 / 3, swapped_kept=0.0)),
        ({0, 1, 5}, NearScores(recall=1.0, precision=1 / 3, swapped_kept=1.0)),
    ],
)
def test_scores(kept: set[int], expected: NearScores) -> None:
    before = {0, 1, 2, 3, 5, 6}  # 4 left as an exact duplicate
    assert near_scores(before, kept, LABELS) == expected  # type: ignore[arg-type]


def test_a_near_copy_of_a_copy_counts_when_the_copy_is_the_one_that_stayed() -> None:
    assert near_scores({3, 4}, {4}, LABELS).recall == 1.0  # type: ignore[arg-type]
    assert near_scores({3}, {3}, LABELS) == NearScores(1.0, 1.0, 1.0)  # type: ignore[arg-type]
