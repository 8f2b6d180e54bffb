"""Rows to measure data cleaning on: Alpaca JSONL of about 1 kB a row, with known duplicates.

    python -m benchmarks.corpus FILE [--rows 20000] [--seed 7]

English with 15 % Chinese. Words follow Zipf's law, each row returns to a few words of its own
(as text about one thing does), sentences and paragraphs have everyday lengths. Beside FILE stands
FILE.labels.jsonl: one line for each row that is not simply itself,
`{"row": 12, "kind": "near", "of": 3}`, with `of` the row it was made from. Kinds:

- exact (8 %): the same text as an earlier row.
- near (8 %): the answer of an earlier row with 1 to 3 words added, or left out, or moved, or
  misspelled. The Jaccard similarity is above 0.8 in word pairs, word 5-grams and character
  5-grams alike. No row has two such copies.
- swapped (2 %): the same with 1 to 3 words exchanged for others. By Jaccard similarity a near
  duplicate; by what it says another row, as two answers of one template are.
- similar (1 %): shares its first sentences with an earlier row, but fewer than half of its
  shingles. Must survive.
- html, control, short, repetitive (0.5 % each): dirt.

Row numbers count from 0; each row carries its own as `id`. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from benchmarks.vocabulary import (
    CHINESE_WORDS,
    CONTENT_WORDS,
    FUNCTION_WORDS,
    chinese_tail,
    english_tail,
    misspelled,
)

Kind = Literal[
    "plain", "exact", "near", "swapped", "similar", "html", "control", "short", "repetitive"
]
KINDS: dict[Kind, float] = {
    "exact": 0.08,
    "near": 0.08,
    "swapped": 0.02,
    "similar": 0.01,
    "html": 0.005,
    "control": 0.005,
    "short": 0.005,
    "repetitive": 0.005,
}
CHINESE_SHARE = 0.15
BLOCK = 10_000  # rows drawn at a time
REMEMBERED = 20_000  # earlier rows that a copy may be made of: about 40 MB
COPIES: tuple[Kind, ...] = ("exact", "near", "swapped", "similar")
TOPIC_WORDS, TOPIC_SHARE = 12, 0.15
PLAIN, CAPITAL, COMMA, END, PARAGRAPH = range(5)


@dataclass(frozen=True)
class Language:
    """Words in the order of their frequency, each in the forms that a sentence needs."""

    stride: int  # of forms: all words, and then the misspelled ones
    words: int
    known: int  # words of a dictionary; names and terms come after them
    forms: list[str]  # of word i in form f at i + f * stride; misspelled at i + words + f * stride
    probabilities: Any  # cumulative
    joint: str
    question_words: tuple[int, int]
    answer_words: tuple[int, int]

    def text(self, tokens: Any) -> str:
        """Tokens as running text."""
        forms = self.forms
        joined = self.joint.join([forms[token] for token in tokens.tolist()]).rstrip(",，\n ")
        return joined.replace("\n ", "\n")


@dataclass(slots=True)
class Row:
    """A row that copies may be made of: its tokens, and how many of them are the question."""

    number: int
    language: Language
    tokens: Any
    asked: int
    has_near: bool = False

    def fields(self) -> dict[str, str]:
        """The row as Alpaca has it."""
        question = self.language.text(self.tokens[: self.asked])
        return {
            "instruction": question.rstrip(".。") + ("？" if self.language.joint == "" else "?"),
            "input": "",
            "output": self.language.text(self.tokens[self.asked :]),
        }


@dataclass
class Memory:
    """Some of the rows so far, each as likely as the others to be still known."""

    rows: list[Row] = field(default_factory=list[Row])

    def add(self, row: Row, random: np.random.Generator) -> None:
        if len(self.rows) < REMEMBERED:
            self.rows.append(row)
        elif random.random() < 0.5:
            self.rows[int(random.integers(REMEMBERED))] = row


def write_corpus(path: Path, rows: int, seed: int = 7) -> None:
    """Write rows and their labels."""
    random = np.random.default_rng(seed)
    languages = (english(), chinese())
    memory = Memory()
    labels = path.with_name(f"{path.name}.labels.jsonl")
    with path.open("wb") as out, labels.open("wb") as told:
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            for fields, label in _block(start, count, languages, memory, random):
                out.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
                if label is not None:
                    told.write(orjson.dumps(label, option=orjson.OPT_APPEND_NEWLINE))


def english() -> Language:
    """English: words with spaces."""
    tail = english_tail()
    words = [*dict.fromkeys([*FUNCTION_WORDS, *CONTENT_WORDS]), *tail]
    spelled = [*words, *(misspelled(word) for word in words)]
    forms = [
        *spelled,
        *(word.capitalize() for word in spelled),
        *(f"{word}{mark}" for mark in (",", ".", ".\n\n") for word in spelled),
    ]
    return _language(words, tail, forms, " ", (8, 28), (105, 205))


def chinese() -> Language:
    """Chinese: words without spaces, three bytes a character. None is misspelled."""
    tail = chinese_tail()
    words = [*dict.fromkeys(CHINESE_WORDS), *tail]
    forms = [f"{word}{mark}" for mark in ("", "", "，", "。", "。\n\n") for word in words]
    return _language(words, tail, forms, "", (8, 24), (115, 215))


def _language(
    words: list[str],
    tail: list[str],
    forms: list[str],
    joint: str,
    question_words: tuple[int, int],
    answer_words: tuple[int, int],
) -> Language:
    known = len(words) - len(tail)
    return Language(
        stride=len(forms) // 5,
        words=len(words),
        known=known,
        forms=forms,
        probabilities=_zipf(known, len(words)),
        joint=joint,
        question_words=question_words,
        answer_words=answer_words,
    )


def _zipf(known: int, count: int) -> Any:
    """Cumulative probabilities: Zipf's law over the known words, with 5 % for all others."""
    weights = 1 / (np.arange(count) + 2.7)  # Mandelbrot's shift: "the" is 6 % of text, not 10 %
    weights[:known] *= 0.95 / weights[:known].sum()
    weights[known:] *= 0.05 / weights[known:].sum()
    return np.cumsum(weights)


def _block(
    start: int,
    count: int,
    languages: tuple[Language, Language],
    memory: Memory,
    random: np.random.Generator,
) -> Iterator[tuple[dict[str, str], dict[str, Any] | None]]:
    which = random.random(count) < CHINESE_SHARE
    fresh = {
        chosen: _fresh(languages[chosen], int((which == chosen).sum()), random)
        for chosen in (False, True)
    }
    kinds = random.choice(["plain", *KINDS], count, p=[1 - sum(KINDS.values()), *KINDS.values()])
    for i, kind in enumerate(kinds.tolist()):
        tokens, asked = next(fresh[bool(which[i])])
        row = Row(start + i, languages[bool(which[i])], tokens, asked)
        fields, parent = _made(kind, row, memory, random)
        of = None if parent is None else parent.number
        plain = kind == "plain" or (of is None and kind in COPIES)
        if plain:
            memory.add(row, random)
        label = None if plain else {"row": row.number, "kind": kind, "of": of}
        yield {"id": f"r{row.number:08d}", **fields}, label


def _fresh(
    language: Language, count: int, random: np.random.Generator
) -> Iterator[tuple[Any, int]]:
    """New rows, as tokens and how many of them are the question."""
    asked = random.integers(*language.question_words, count)
    lengths = asked + random.integers(*language.answer_words, count)
    total = int(lengths.sum())
    words = np.searchsorted(language.probabilities[:-1], random.random(total))
    topics = random.integers(len(FUNCTION_WORDS), language.known, (count, TOPIC_WORDS))
    topics[:, :3] = random.integers(language.known, language.words, (count, 3))
    on_topic = random.random(total) < TOPIC_SHARE
    owner = np.repeat(np.arange(count), lengths)
    drawn = topics[owner, random.integers(TOPIC_WORDS, size=total)]
    words = np.where(on_topic, drawn, words)
    tokens = words + language.stride * _punctuation(asked, lengths, random)
    ends = np.cumsum(lengths).tolist()
    yield from (
        (tokens[end - length : end], question)
        for end, length, question in zip(ends, lengths.tolist(), asked.tolist(), strict=True)
    )


def _punctuation(asked: Any, lengths: Any, random: np.random.Generator) -> Any:
    """The form of each token: sentences of 6 to 22 words, with commas, and paragraphs of a few."""
    total = int(lengths.sum())
    forms = np.zeros(total, np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    bounds = np.cumsum(random.integers(6, 23, total // 6 + 1))
    last = np.union1d(bounds[bounds < total], np.concatenate([starts[1:], [total]])) - 1
    last = np.union1d(last, starts + asked - 1)
    forms[random.random(total) < 0.06] = COMMA
    forms[last] = np.where(random.random(len(last)) < 0.15, PARAGRAPH, END)
    forms[starts + asked - 1] = END  # a question is one paragraph
    forms[np.concatenate([[0], last[:-1] + 1])] = CAPITAL
    return forms


def _made(
    kind: Kind, row: Row, memory: Memory, random: np.random.Generator
) -> tuple[dict[str, str], Row | None]:
    """The fields of a row of a kind, and the row that it was made from."""
    if kind in COPIES:
        parent = _parent(kind, memory, random)
        if parent is None:
            return row.fields(), None
        return _copy(kind, parent, row, random).fields(), parent
    return _dirty(kind, row.fields(), random), None


def _parent(kind: Kind, memory: Memory, random: np.random.Generator) -> Row | None:
    if not memory.rows:
        return None
    for _ in range(20):
        parent = memory.rows[int(random.integers(len(memory.rows)))]
        if kind != "near" or not parent.has_near:
            parent.has_near |= kind == "near"
            return parent
    return None


def _copy(kind: Kind, parent: Row, row: Row, random: np.random.Generator) -> Row:
    if kind == "exact":
        return parent
    change = {"near": _reworded, "swapped": _swapped, "similar": _templated}[kind]
    return Row(row.number, parent.language, change(parent, random), parent.asked)


def _reworded(parent: Row, random: np.random.Generator) -> Any:
    """The tokens with words of the answer added, left out, moved or misspelled: one of these."""
    language, tokens = parent.language, parent.tokens
    places, words = _places(parent, random), _words(language, parent, random)
    how = int(random.integers(4 if language.stride > language.words else 3))
    if how == 0:
        return np.insert(tokens, places, words[: len(places)])
    if how == 1:
        return np.delete(tokens, places)
    if how == 2:
        moved = tokens[places]
        return np.insert(np.delete(tokens, places), places - len(places), np.roll(moved, 1))
    long = np.array([len(language.forms[token]) >= 6 for token in tokens[places].tolist()])
    changed = tokens.copy()
    changed[places[long]] += language.words
    return changed if long.any() else np.delete(tokens, places)


def _swapped(parent: Row, random: np.random.Generator) -> Any:
    """The tokens with words of the answer exchanged for others."""
    changed, places = parent.tokens.copy(), _places(parent, random)
    changed[places] = _words(parent.language, parent, random)[: len(places)]
    return changed


def _templated(parent: Row, random: np.random.Generator) -> Any:
    """The tokens of a row that begins like its parent and says something else."""
    language, asked = parent.language, parent.asked
    changed = parent.tokens.copy()
    kept = asked + (len(changed) - asked) * 2 // 5
    other = np.r_[asked - 5 : asked - 1, kept : len(changed)]
    words = random.integers(len(FUNCTION_WORDS), language.words, len(other))
    changed[other] = changed[other] // language.stride * language.stride + words
    return changed


def _places(parent: Row, random: np.random.Generator) -> Any:
    """Some words in the middle of the answer's sentences, of those that text is about.

    At most one of 60: each takes 5 word 5-grams away and may bring 5 new ones. Never a function
    word: who leaves a "not" out says something else.
    """
    language, tokens = parent.language, parent.tokens
    plain = (tokens >= len(FUNCTION_WORDS)) & (tokens < language.words)
    plain[: parent.asked + 3] = False
    most = max(1, (len(tokens) - parent.asked) // 60)
    chosen = random.choice(np.flatnonzero(plain), int(random.integers(1, most + 1)), replace=False)
    return np.sort(chosen)


def _words(language: Language, parent: Row, random: np.random.Generator) -> Any:
    """Words that text may be about, and that this row does not have."""
    drawn = random.integers(len(FUNCTION_WORDS), language.words, 16)
    return drawn[~np.isin(drawn, parent.tokens % language.stride)]


def _dirty(kind: Kind, fields: dict[str, str], random: np.random.Generator) -> dict[str, str]:
    answer = fields["output"]
    if kind == "html":
        answer = "<p>" + answer.replace("\n\n", "</p><br/>\n<p>").replace(" the ", " <b>the</b> ")
        answer += '</p>&nbsp;<a href="https://example.com/a?b=1&amp;c=2">more</a>'
    elif kind == "control":
        places = sorted(random.integers(len(answer), size=6).tolist())
        marks = ("\u0007", "\u200b", "\ufeff", "\u00a0\u00a0", "\u0001", "\u202e")
        for place, mark in reversed(list(zip(places, marks, strict=True))):
            answer = answer[:place] + mark + answer[place:]
    elif kind == "short":
        answer = ("ok", "n/a", "?", "是", "yes")[int(random.integers(5))]
    elif kind == "repetitive":
        answer = (answer[:60].strip() + "\n") * 14
    return fields | {"output": answer}


def read_labels(path: Path) -> dict[int, tuple[Kind, int | None]]:
    """Kind and origin of the rows of a corpus that are not simply themselves, by row number."""
    lines = path.with_name(f"{path.name}.labels.jsonl").read_text().splitlines()
    labels = [json.loads(line) for line in lines]
    return {label["row"]: (label["kind"], label["of"]) for label in labels}


def main() -> None:
    """Write a corpus from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    write_corpus(given.file, given.rows, given.seed)
    sys.stdout.write(f"{given.file}: {given.file.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
