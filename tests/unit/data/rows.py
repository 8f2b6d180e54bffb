"""Small made-up rows and files that the data tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from sluice.data.cleaning.settings import CleanSettings
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.lake import Lake, step_key
from sluice.recipe import CleaningSection, DataSection, ModelSection, Recipe
from sluice.refs import DatasetRef

CLEANING = CleaningSection()
SETTINGS = CleanSettings()


def row(
    question: str = "Do you sell tents?",
    answer: str = "Yes, we sell tents of five sizes.",
    *,
    source: str = "jan.jsonl",
    line: int = 1,
    **tags: str,
) -> Record:
    """One conversation of two messages."""
    messages = (Message("user", question), Message("assistant", answer))
    return Record(content_id(messages), messages, source, line, tuple(sorted(tags.items())))


def text(said: str, *, source: str = "jan.jsonl", line: int = 1) -> Record:
    """A row of plain text: nobody asks anything."""
    messages = (Message("assistant", said),)
    return Record(content_id(messages), messages, source, line)


def alpaca(question: str, answer: str, **more: Any) -> str:
    """One line of a landing file."""
    fields = {"instruction": question, "input": "", "output": answer, **more}
    return json.dumps(fields, ensure_ascii=False)


def write_lines(path: Path, *lines: str) -> Path:
    """A landing file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def distinct_lines(count: int, kind: str = "tent") -> list[str]:
    """Lines whose questions and answers share few words with each other."""
    return [
        alpaca(
            f"{kind}{i} size{i} in colour{i}?",
            f"{kind}{i} costs {i} and weighs{i} about kilo{i} for model{i}.",
        )
        for i in range(count)
    ]


def word_tokenizer(folder: Path) -> Path:
    """A tokenizer.json that makes each word and each punctuation mark one token."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def recipe(**sections: Any) -> Recipe:
    """A recipe whose evaluation rows come from a file `evaluation.jsonl` beside it."""
    data = sections.pop("data", DataSection(evaluation=Path("evaluation.jsonl")))
    return Recipe(model=ModelSection(name="shop", base="./base"), data=data, **sections)


def stored(
    lake: Lake, *records: Record, area: str = "checked", side: str = "records"
) -> DatasetRef:
    """Rows as an earlier step would have left them: `records` of a batch, or those `kept`."""
    with lake.aside() as folder:
        count = write_records(folder / side, records)
        key = step_key("test", 1, area, [(r.id, r.source, r.line) for r in records])
        return lake.commit(folder, area, key, lambda uri, digest: DatasetRef(uri, digest, count))
