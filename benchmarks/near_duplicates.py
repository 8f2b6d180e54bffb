"""Near duplicates: how many planted copies are found, and how many different rows are lost.

    python -m benchmarks.near_duplicates [--rows 600] [--similarity 0.8] [--json]

Makes a labelled set, half of it English and half Chinese, out of the sentences of the shipped
examples: base rows, near copies of them of several kinds, and rows that look like them but say
something else. Then drops near duplicates as `sluice` does and prints

- for each kind how many rows were planted and how many were dropped: recall over the kinds that
  are copies, precision over all that was dropped;
- recall of the bands against exact comparison: of the rows that comparing each row with each one
  drops, how many the MinHash bands drop as well; and what exact Jaccard of whole rows would drop
  alone, without the guards for numbers, negations and replaced words.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from sluice.data.duplicates.bands import bands_of, sides_of
from sluice.data.duplicates.compare import shared_shingles
from sluice.data.duplicates.near import compared, near_copies
from sluice.data.duplicates.pairs import pairs_in
from sluice.data.duplicates.rows import fold_rows
from sluice.data.duplicates.store import Store, open_store, write_store
from sluice.data.record import Message, Record, table_of

EXAMPLES = Path(__file__).parent.parent / "examples"
SETS = {"en": "customer_service", "zh": "kefu"}
BASE = "base row"


@dataclass(frozen=True, slots=True)
class Row:
    """A question and an answer of several sentences, and how they were made."""

    kind: str
    copy: bool
    question: str
    answer: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole answer."""
        return " ".join(self.answer)


Change = Callable[[Row, random.Random], tuple[str, tuple[str, ...]]]


def upper(row: Row, _: random.Random) -> tuple[str, tuple[str, ...]]:
    """Other case, other punctuation, other spacing."""
    answer = tuple(re.sub(r"[.!。]$", "!!", s).replace(", ", "; ") for s in row.answer)
    answer = tuple(s.replace("，", "；") for s in answer)
    return re.sub(r"[?？]", " ?", row.question.upper()), answer


def filler(row: Row, draw: random.Random) -> tuple[str, tuple[str, ...]]:
    """One word that says nothing, before the question or in the answer."""
    chinese = _is_chinese(row.text)
    if draw.random() < 0.5:
        return ("请问" if chinese else "Hello, ") + row.question, row.answer
    return row.question, (row.answer[0], ("嗯，" if chinese else "Well, ") + row.answer[1])


def typo(row: Row, draw: random.Random) -> tuple[str, tuple[str, ...]]:
    """Two letters of a long word of the answer swapped; in Chinese, one particle added."""
    if _is_chinese(row.text):
        return row.question, (row.answer[0], row.answer[1].rstrip("。！") + "哦。")
    words = sorted({w for w in re.findall("[a-z]{7,}", row.text) if w[2] != w[3]})
    if not words:
        return row.question.lower(), row.answer
    word = draw.choice(words)
    wrong = word[:2] + word[3] + word[2] + word[4:]
    return row.question, tuple(s.replace(word, wrong, 1) for s in row.answer)


def reordered(row: Row, _: random.Random) -> tuple[str, tuple[str, ...]]:
    """The sentences of the answer in another order."""
    return row.question, (row.answer[1], row.answer[0])


def number(row: Row, draw: random.Random) -> tuple[str, tuple[str, ...]]:
    """One more number, or another one."""
    found = re.findall(r"\d+", row.text)
    if not found:
        return row.question, (*row.answer[:-1], row.answer[-1] + " 3.")
    old = draw.choice(found)
    return row.question, tuple(
        re.sub(rf"\b{old}\b|{old}", f"{int(old) + 1}", s) for s in row.answer
    )


def negated(row: Row, _: random.Random) -> tuple[str, tuple[str, ...]]:
    """The answer denies."""
    word = "不是这样：" if _is_chinese(row.text) else "Not so: "
    return row.question, (word + row.answer[0], *row.answer[1:])


def another_word(row: Row, draw: random.Random) -> tuple[str, tuple[str, ...]]:
    """One word of the answer replaced by another."""
    if _is_chinese(row.text):
        places = [i for i, c in enumerate(row.answer[0]) if "\u4e00" <= c <= "\u9fff"]
        at = draw.choice(places[1:-1])
        other = draw.choice("铜铁银锡铅")
        return row.question, (row.answer[0][:at] + other + row.answer[0][at + 1 :], *row.answer[1:])
    words = sorted(set(re.findall("[a-z]{4,}", row.answer[0])))
    other = draw.choice(["granite", "harbour", "violin", "meadow", "copper"])
    return row.question, (row.answer[0].replace(draw.choice(words), other, 1), *row.answer[1:])


COPIES: dict[str, Change] = {
    "case and punctuation": upper,
    "filler word": filler,
    "slip of the pen": typo,
    "sentences reordered": reordered,
}
OTHERS: dict[str, Change] = {
    "another number": number,
    "negated": negated,
    "another word": another_word,
}
TEMPLATES = {
    "en": [
        ("What is the capital of {0}?", "The capital of {0} is {1}."),
        (
            "For the quiz at our school next week I would like to know what the capital of the old "
            "kingdom of {0} is called today by the people who live there.",
            "The capital of the old kingdom of {0} is called {1} by the people who live there now, "
            "as you can read in any of the older travel books in our library.",
        ),
        (
            "How much is the {0}?",
            "The {0} costs {2} euros, with free delivery from 50 euros and two years of warranty.",
        ),
    ],
    "zh": [
        ("{0}的首都是哪里？", "{0}的首都是{1}。"),
        (
            "您好，我们学校下周要办一场知识竞赛，想请教古代王国{0}的首都在今天当地居民口中叫什么？",
            "感谢您的提问。古代王国{0}的首都在今天当地居民口中叫做{1}，馆里比较老的游记都有记载。",
        ),
        ("{0}多少钱？", "{0}现在的价格是{2}元，满500元包邮，全国联保两年，凭订单号即可。"),
    ],
}
SYLLABLES = {
    "en": ["bar", "kel", "mo", "ti", "ran", "su", "vek", "lo", "pin", "dra", "fen", "gho"],
    "zh": list("澜渝滇黔皖赣鄂湘粤蜀闽辽沪"),
}


def labelled(count: int, draw: random.Random) -> list[Row]:
    """Base rows first, then copies of them, rows unlike them, and templated rows."""
    rows: list[Row] = []
    for language in SETS:
        base = _base_rows(language, count // 2, draw)
        rows += base
        for i, (kind, change) in enumerate([*COPIES.items(), *OTHERS.items()]):
            for row in base[i :: len(COPIES) + len(OTHERS)]:
                rows.append(Row(f"{language}: {kind}", kind in COPIES, *change(row, draw)))
        rows += _templated(language, 107)
    bases = [row for row in rows if row.kind == BASE]
    return bases + [row for row in rows if row.kind != BASE]


def _base_rows(language: str, count: int, draw: random.Random) -> list[Row]:
    lines: list[dict[str, Any]] = []
    for month in ("2026-09.jsonl", "2026-10.jsonl"):
        for line in (EXAMPLES / SETS[language] / month).read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue  # planted dirt
    texts = {(r["instruction"], str(r.get("output", ""))) for r in lines}
    pairs = sorted(pair for pair in texts if 20 < len(pair[1]) < 400 and "<" not in pair[1])
    if language == "zh":
        pairs = [pair for pair in pairs if _is_chinese(pair[0]) and _is_chinese(pair[1])]
    chosen = draw.sample(list(combinations(range(len(pairs)), 2)), count)
    return [
        Row(BASE, False, f"{pairs[i][0]} {pairs[j][0]}", (pairs[i][1], pairs[j][1]))
        for i, j in chosen
    ]


def _templated(language: str, count: int) -> Iterator[Row]:
    names = ["".join(p) for p in combinations(SYLLABLES[language], 3)][:count]
    for number_, (question, answer) in enumerate(TEMPLATES[language], 1):
        for i, name in enumerate(names):
            fill = (name, names[i - 1][::-1], str(20 + i))
            yield Row(
                f"{language}: template {number_}",
                False,
                question.format(*fill),
                (answer.format(*fill),),
            )


def _is_chinese(text: str) -> bool:
    return len(re.findall("[\u4e00-\u9fff]", text)) > 0.3 * len(text)


def dropped_by_bands(table: Any, folder: Path, similarity: float) -> tuple[set[int], Store]:
    """The rows that are dropped, and the rows' store."""
    rows = fold_rows(table)
    sides = sides_of(rows)
    path = write_store(folder / "rows.arrow", table, sides)
    pairs = pairs_in(bands_of(rows, sides, 0, similarity), "first", [0])
    decided = near_copies(pairs, [path], [0], similarity)
    return set(decided.column("row").to_pylist()), open_store(path)


def dropped_by_comparing_all(store: Store, similarity: float) -> tuple[set[int], set[int]]:
    """The rows that comparing each with each drops, with the guards and without them."""
    guarded: set[int] = set()
    plain: set[int] = set()
    for row in range(1, len(store.guards.same)):
        a, b = np.arange(row), np.full(row, row)
        if any(True for _ in compared(store, store, a, b, similarity)):
            guarded.add(row)
        questions = shared_shingles(store.questions, store.questions, a, b)
        answers = shared_shingles(store.answers, store.answers, a, b)
        if ((questions[:, 0] + answers[:, 0]) >= similarity * (questions + answers)[:, 1]).any():
            plain.add(row)
    return guarded, plain


def measure(count: int, similarity: float) -> dict[str, Any]:
    """Everything that is printed."""
    rows = labelled(count, random.Random(11))
    records = [
        Record(str(i), (Message("user", r.question), Message("assistant", r.text)), "set", i + 1)
        for i, r in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        dropped, store = dropped_by_bands(table_of(records), Path(folder), similarity)
        guarded, plain = dropped_by_comparing_all(store, similarity)
    copies = {i for i, row in enumerate(rows) if row.copy}
    planted = Counter(row.kind for row in rows)
    lost: defaultdict[str, int] = defaultdict(int)
    for i in dropped:
        lost[rows[i].kind] += 1
    return {
        "similarity": similarity,
        "kinds": {k: {"planted": n, "dropped": lost[k]} for k, n in sorted(planted.items())},
        "recall_of_copies": len(dropped & copies) / len(copies),
        "precision": len(dropped & copies) / max(1, len(dropped)),
        "recall_against_exact": len(dropped & guarded) / max(1, len(guarded)),
        "plain_jaccard": {
            "dropped": len(plain),
            "recall_of_copies": len(plain & copies) / len(copies),
            "precision": len(plain & copies) / max(1, len(plain)),
        },
    }


def as_table(found: dict[str, Any]) -> str:
    """The measurements as a table."""
    names = ("recall_of_copies", "precision", "recall_against_exact")
    plain = found["plain_jaccard"]
    lines = [
        *(
            f"{kind:28} {counts['planted']:6} planted {counts['dropped']:6} dropped"
            for kind, counts in found["kinds"].items()
        ),
        *(f"{name.replace('_', ' '):28} {found[name]:.4f}" for name in names),
        f"plain exact Jaccard: recall {plain['recall_of_copies']:.4f}, precision "
        f"{plain['precision']:.4f}, {plain['dropped']} rows dropped",
    ]
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--similarity", type=float, default=0.8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = measure(options.rows, options.similarity)
    sys.stdout.write(f"{json.dumps(found)}\n" if options.json else as_table(found))


if __name__ == "__main__":
    main()
