"""Rows and folders of parts that the tests of contracts share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.lake import Lake, step_key
from sluice.recipe import DataSection, ModelSection, Recipe
from sluice.refs import DatasetRef


def row(
    question: str = "Do you sell tents?",
    answer: str = "Yes, we sell tents of five sizes.",
    *,
    line: int = 1,
    source: str = "jan.jsonl",
    **more: Any,
) -> Record:
    """One conversation of two messages."""
    messages = (Message("user", question), Message("assistant", answer))
    return Record(content_id(messages), messages, source, line, **more)


def rows(count: int) -> list[Record]:
    """Rows that differ from each other."""
    return [row(f"Question {i}?", f"Answer number {i}.", line=i) for i in range(1, count + 1)]


def recipe(**sections: Any) -> Recipe:
    """A small recipe."""
    data = DataSection(evaluation=Path("evaluation.jsonl"))
    return Recipe(model=ModelSection(name="shop", base="./base"), data=data, **sections)


def stored(lake: Lake, **sides: Sequence[Record]) -> DatasetRef:
    """Rows as an earlier step would have left them: a folder of parts for each side."""
    with lake.aside() as folder:
        for side, records in sides.items():
            write_records(folder / side, records)
        count = sum(map(len, sides.values()))
        key = step_key("test", 1, {side: [r.id for r in rs] for side, rs in sides.items()})
        return lake.commit(folder, "given", key, lambda uri, d: DatasetRef(uri, d, count))


def word_tokenizer(folder: Path) -> Path:
    """A tokenizer.json that makes each word and each punctuation mark one token."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path
