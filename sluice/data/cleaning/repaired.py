"""The rows of a table after repairs, with masks over what is private, and new ids where needed.

Texts are looked at as flat columns; a row becomes a `Record` only if something in it changes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.cleaning.masking import MASKED, PRIVATE, Looked, Reason, look_at, reason_to_leave
from sluice.data.cleaning.screen import suspects
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.cleaning.special_tokens import neutraliser
from sluice.data.cleaning.text import repair_text
from sluice.data.cleaning.truncation import shortened
from sluice.data.privacy import Kind, Private
from sluice.data.quarantine import released_from
from sluice.data.record import SCHEMA, Message, Record, content_id, records_of, table_of
from sluice.data.tokens import record_token_counter, token_counter, token_counts

pa: Any = pyarrow  # not typed

TRUNCATED = "truncated"
_LEAST_DIGITS = 6  # of a number in JSON that may be private


@dataclass(frozen=True, slots=True)
class RepairedTable:
    """Rows after repairs, in the order and number in which they came.

    `texts` are the contents of all messages. `repairs` are the names of the repairs that changed
    something, and `private` why a row has to leave, by the row's number.
    """

    table: Any
    texts: list[str]
    repairs: Mapping[int, set[str]]
    private: Mapping[int, Reason]


def repaired_table(table: Any, settings: CleanSettings) -> RepairedTable:
    """Repair the rows of a table whose columns are in one piece each."""
    work = _Work(table, settings)
    work.repair_texts()
    work.look_for_private_values()
    work.repair_json()
    left = _unreleased(table, work.left)
    if settings.cleaning.too_long == "truncate":
        work.truncate()
    table, texts = work.rebuilt()
    private = {row: reason_to_leave(kinds, work.private) for row, kinds in left.items() if kinds}
    return RepairedTable(table, texts, work.repairs, private)


def _unreleased(table: Any, left: Mapping[int, Counter[Kind]]) -> dict[int, Counter[Kind]]:
    """The private values of each row, without the kind that a person has released the row from."""
    if not left:
        return {}
    released = released_from(table)
    return {
        row: Counter({k: n for k, n in kinds.items() if f"{PRIVATE}{k}" != released[row]})
        for row, kinds in left.items()
    }


class _Work:
    """The state of one table under repair."""

    def __init__(self, table: Any, settings: CleanSettings) -> None:
        self.table = table
        self.settings = settings
        self.private = Private(settings.privacy)
        lists = _chunk(table, "messages")
        lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        self.flat = lists.flatten()
        self.contents = self.flat.field("content").fill_null("")
        self.ends = np.cumsum(lengths, dtype=np.int64)
        self.texts: list[str] = self.contents.to_pylist()
        self.repairs: defaultdict[int, set[str]] = defaultdict(set)
        self.left: defaultdict[int, Counter[Kind]] = defaultdict(Counter)
        self.changed: set[int] = set()  # messages whose text changed
        self.records: dict[int, Record] = {}  # rows that are put in the place of others

    def row_of(self, message: int) -> int:
        return int(np.searchsorted(self.ends, message, side="right"))

    def repair_texts(self) -> None:
        numbers: list[int] = suspects(self.contents, self.settings).tolist()
        for i in numbers:
            repaired = repair_text(self.texts[i], self.settings)
            if repaired.repairs:
                self.texts[i] = repaired.text
                self.changed.add(i)
                self.repairs[self.row_of(i)] |= repaired.repairs

    def look_for_private_values(self) -> None:
        numbers: set[int] = set(self.private.suspects(self.contents).tolist())
        for i in sorted(numbers | self.changed):
            looked = look_at(self.texts[i], self.private)
            if looked is None:
                continue
            self.note(self.row_of(i), looked)
            if looked.masked:
                self.texts[i] = repair_text(looked.text, self.settings).text
                self.changed.add(i)

    def note(self, row: int, looked: Looked) -> None:
        if looked.masked:
            self.repairs[row] |= {f"{MASKED}{kind}" for kind in looked.masked}
        if looked.left:
            self.left[row] += looked.left

    def repair_json(self) -> None:
        """Tool calls and tools are JSON, whose texts may hold special tokens and private values."""
        more = self.flat.field("more")
        rows = {self.row_of(i) for i in np.flatnonzero(more.is_valid()).tolist()}
        rows |= set(np.flatnonzero(_chunk(self.table, "tools").is_valid()).tolist())
        if not rows:
            return
        numbers = sorted(rows)
        for row, record in zip(numbers, self.rows(numbers), strict=True):
            repair = self.repair_of_value(row)
            messages = tuple(
                replace(m, more=m.more and _with_values(m.more, repair)) for m in record.messages
            )
            tools = record.tools and _with_values(record.tools, repair)
            if (messages, tools) != (record.messages, record.tools):
                self.records[row] = replace(
                    record, id=content_id(messages, tools), messages=messages, tools=tools
                )

    def repair_of_value(self, row: int) -> Callable[[str], str]:
        section = self.settings.cleaning
        break_up = neutraliser((*self.settings.special_tokens, *section.special_tokens))

        def repair(text: str) -> str:
            if section.on("special_tokens") and (broken := break_up(text)) != text:
                self.repairs[row].add("special_tokens")
                text = broken
            looked = look_at(text, self.private)
            if looked is None:
                return text
            self.note(row, looked)
            return looked.text

        return repair

    def truncate(self) -> None:
        section, prompt = self.settings.cleaning, self.settings.system_prompt
        tokenizer = self.settings.tokenizer_json
        count = record_token_counter(token_counter(tokenizer), prompt) if tokenizer else None

        def fits(record: Record) -> bool:
            if _characters(record) > section.max_chars:
                return False
            return count is None or count(record) <= section.max_tokens

        numbers = list(range(len(self.ends)))
        records = self.rows(numbers)
        # Of a row with too long an answer the tokens are not worth counting.
        worth = [i for i in numbers if len(records[i].answer) <= section.max_chars]
        long = [i for i in worth if _characters(records[i]) > section.max_chars]
        if tokenizer:
            short = sorted(set(worth) - set(long))
            counts = token_counts([records[i] for i in short], tokenizer, prompt)
            long += [i for i, n in zip(short, counts, strict=True) if n > section.max_tokens]
        for i in sorted(long):
            shorter = shortened(
                records[i], fits, lambda text: repair_text(text, self.settings).text
            )
            if shorter is not None:
                self.records[i] = shorter
                self.repairs[i].add(TRUNCATED)

    def rows(self, numbers: list[int]) -> list[Record]:
        """Rows as they are by now, with their texts repaired."""
        taken = records_of(self.table.take(pa.array(numbers, pa.int64())))
        starts = [0, *self.ends.tolist()]
        return [
            self.records.get(row) or _with_texts(old, self.texts[starts[row] : starts[row + 1]])
            for row, old in zip(numbers, taken, strict=True)
        ]

    def rebuilt(self) -> tuple[Any, list[str]]:
        """The table with all that has changed, and the contents of its messages."""
        rows = sorted({self.row_of(i) for i in self.changed} | set(self.records))
        if not rows:
            return self.table, self.texts
        if not self.records:
            return self.with_texts(rows), self.texts
        table = _spliced(self.table, rows, table_of(self.rows(rows)))
        return table, _chunk(table, "messages").flatten().field("content").to_pylist()

    def with_texts(self, rows: list[int]) -> Any:
        changed = sorted(self.changed)
        contents = _spliced(
            self.contents, changed, pa.array([self.texts[i] for i in changed], pa.string())
        )
        parts = [self.flat.field("role"), contents, self.flat.field("more")]
        type_ = SCHEMA.field("messages").type
        flat = pa.StructArray.from_arrays(parts, fields=list(type_.value_type))
        offsets = pa.array(np.concatenate([[0], self.ends]), pa.int32())
        messages = pa.ListArray.from_arrays(offsets, flat, type=type_)
        new = pa.array([record.id for record in self.rows(rows)], pa.string())
        ids = _spliced(_chunk(self.table, "id"), rows, new)
        return self.table.set_column(
            SCHEMA.get_field_index("messages"), SCHEMA.field("messages"), messages
        ).set_column(SCHEMA.get_field_index("id"), SCHEMA.field("id"), ids)


def _with_texts(record: Record, texts: list[str]) -> Record:
    messages = tuple(
        Message(m.role, text, m.more) for m, text in zip(record.messages, texts, strict=True)
    )
    if messages == record.messages:
        return record
    return replace(record, id=content_id(messages, record.tools), messages=messages)


def _characters(record: Record) -> int:
    return sum(len(m.content) for m in record.messages)


def _with_values(canonical: str, repair: Callable[[str], str]) -> str:
    """Canonical JSON, its texts repaired; a long number becomes a text if its repair changes it."""
    value = json.loads(canonical)
    repaired = _repaired_value(value, repair)
    if repaired == value:
        return canonical
    return json.dumps(repaired, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _repaired_value(value: Any, repair: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return repair(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: _repaired_value(inner, repair) for key, inner in pairs}
    if isinstance(value, list):
        return [_repaired_value(inner, repair) for inner in cast("list[Any]", value)]
    if isinstance(value, int) and len(str(value)) >= _LEAST_DIGITS:
        return value if (text := repair(str(value))) == str(value) else text
    return value


def _chunk(table: Any, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _spliced(old: Any, numbers: list[int], new: Any) -> Any:
    """An array or a table, in which these rows are replaced by new ones."""
    at = np.arange(len(old))
    at[numbers] = len(old) + np.arange(len(numbers))
    if isinstance(old, pa.Table):
        return pa.concat_tables([old, new]).take(pa.array(at)).combine_chunks()
    return pa.concat_arrays([old, new]).take(pa.array(at))
