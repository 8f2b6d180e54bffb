"""The profile of a set of rows: made part by part, added up, and stored as JSON."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd  # pyright: ignore[reportMissingTypeStubs]
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.drift.half import (
    BINS_PER_DOUBLING,
    BUCKETS,
    CELLS,
    LENGTH_BINS,
    NO_CELL,
    ROW_TOKENS,
    SAMPLED_PAIRS,
    Half,
    Mix,
    bounded,
    empty_half,
    joined,
    smallest,
)
from sluice.data.parts import iterate
from sluice.data.similarity.fold import fold_texts
from sluice.data.similarity.hashed import hashed_shingles, hashed_tokens

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute
_hash: Any = cast("Any", pd).util.hash_array
VERSION = 1
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of rows as counts, in two halves that were drawn by the rows' ids. No text is in it."""

    halves: tuple[Half, Half]

    @property
    def rows(self) -> int:
        """How many rows it describes."""
        return self.halves[0].rows + self.halves[1].rows

    @property
    def whole(self) -> Half:
        """Both halves together."""
        return joined(*self.halves)

    def to_json(self) -> dict[str, Any]:
        """The profile as a JSON-ready dictionary; the same for the same rows in any order."""
        return {"version": VERSION, "halves": [_half_to_json(half) for half in self.halves]}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Profile:
        """The inverse of `to_json`.

        Raises:
            ValueError: it was written by another version of this code.
        """
        if fields.get("version") != VERSION:
            raise ValueError(f"a drift profile of version {fields.get('version')}, not {VERSION}")
        first, second = (_half_from_json(half) for half in fields["halves"])
        return cls((first, second))


def profile(table: Any) -> Profile:
    """The profile of a table of rows; a few microseconds for each."""
    ids = table.column("id").to_pandas().to_numpy(dtype=object)
    keys = _hash(ids, categorize=False) if len(ids) else np.zeros(0, np.uint64)
    second = (keys & np.uint64(1)).astype(bool)
    first_rows, second_rows = (table.filter(pa.array(mine)) for mine in (~second, second))
    return Profile((_half(first_rows, keys[~second]), _half(second_rows, keys[second])))


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all rows of several profiles; of none, that of no rows."""
    pairs = [each.halves for each in profiles]
    return Profile(
        (
            reduce(joined, (pair[0] for pair in pairs), empty_half()),
            reduce(joined, (pair[1] for pair in pairs), empty_half()),
        )
    )


def profile_of_folder(folder: Path) -> Profile:
    """The profile of all parts of a folder, one in memory at a time."""
    total = merge([])
    for table in iterate(folder):
        total = merge([total, profile(table)])
    return total


def _half(table: Any, keys: Any) -> Half:
    if table.num_rows == 0:
        return empty_half()
    questions, answers = _texts_of(table)
    lengths = {
        "question_characters": _bins(pc.utf8_length(questions).to_numpy(zero_copy_only=False)),
        "answer_characters": _bins(pc.utf8_length(answers).to_numpy(zero_copy_only=False)),
    }
    # A line break keeps the two apart as tokens, and one pair of tokens reaches from one to the
    # other: what was asked, and how its answer begins.
    tokens = hashed_tokens(fold_texts(pc.binary_join_element_wise(questions, answers, "\n")))
    pairs = hashed_shingles(tokens)
    lengths["tokens"] = _bins(np.diff(tokens.offsets))
    cells = pairs.hashes & np.uint64(CELLS - 1)
    sampled, sampled_cells = _sample(keys, pairs.hashes, pairs.offsets)
    return Half(
        rows=table.num_rows,
        lengths=lengths,
        languages=_mix(table.column("language")),
        tags=_tags(table.column("tags").combine_chunks()),
        vocabulary=_vocabulary(tokens.hashes, tokens.offsets),
        seen=_bits(cells),
        sampled=sampled,
        cells=sampled_cells,
    )


def _texts_of(table: Any) -> tuple[Any, Any]:
    """The last question and the answer of each row; "" where there is none."""
    lists = table.column("messages").combine_chunks()
    lists = lists if isinstance(lists, pa.Array) else pa.concat_arrays(lists.chunks)
    flat = lists.flatten()
    ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    starts = np.concatenate([[0], ends[:-1]])
    asked = pc.equal(flat.field("role"), "user").fill_null(False).to_numpy(zero_copy_only=False)
    contents = flat.field("content")
    if len(contents) == 0:
        nothing = pa.array([""] * len(starts))
        return nothing, nothing
    last_asked = np.maximum.accumulate(np.where(asked, np.arange(len(asked)), -1))
    last = np.maximum(ends - 1, 0)
    questions = np.where((last_asked[last] >= starts) & (ends > starts), last_asked[last], -1)
    answers = np.where((ends > starts) & ~asked[last], last, -1)
    found = [contents.take(pa.array(at, mask=at < 0)).fill_null("") for at in (questions, answers)]
    return found[0], found[1]


def _vocabulary(hashes: Any, offsets: Any) -> Any:
    """For each bucket the rows that have a token in it, of each row at most `ROW_TOKENS` tokens.

    Those are the ones with the smallest hashes. One pasted document of 4,000 characters would
    otherwise be a third of the vocabulary of 50 short rows.
    """
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    rows, hashes = rows[new], hashes[new]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return _counts(hashes[rank < ROW_TOKENS] % np.uint64(BUCKETS), BUCKETS)


def _bins(lengths: Any) -> Any:
    places = np.floor(np.log2(np.maximum(lengths, 1)) * BINS_PER_DOUBLING).astype(np.int64)
    return _counts(np.where(lengths > 0, places + 1, 0).clip(0, LENGTH_BINS - 1), LENGTH_BINS)


def _counts(values: Any, size: int) -> Any:
    return np.bincount(values.astype(np.int64), minlength=size)


def _bits(cells: Any) -> Any:
    seen = np.zeros(CELLS, dtype=bool)
    seen[cells.astype(np.int64)] = True
    return np.packbits(seen)


def _sample(keys: Any, hashes: Any, offsets: Any) -> tuple[Any, Any]:
    """Of the rows with the smallest keys the cells of their pairs with the smallest hashes."""
    chosen, places = smallest(keys, np.arange(len(keys)))
    cells = np.full((len(places), SAMPLED_PAIRS), NO_CELL, np.uint32)
    for number, place in enumerate(places.tolist()):
        pairs = np.sort(hashes[offsets[place] : offsets[place + 1]])[:SAMPLED_PAIRS]
        cells[number, : len(pairs)] = pairs & np.uint64(CELLS - 1)
    return chosen, cells


def _mix(values: Any) -> Mix:
    return Counter(
        {
            UNKNOWN if entry["values"] is None else entry["values"]: entry["counts"]
            for entry in pc.value_counts(values).to_pylist()
        }
    )


def _tags(maps: Any) -> dict[str, Mix | None]:
    maps = maps if isinstance(maps, pa.Array) else pa.concat_arrays(maps.chunks)
    keys, items = maps.keys, maps.items
    names = sorted(pc.unique(keys).to_pylist())
    return {n: bounded(_hashed(_mix(items.filter(pc.equal(keys, n))))) for n in names}


def _hashed(mix: Mix) -> Mix:
    """The same mix without its words: a tag may name who wrote a row."""
    return Counter({sha256(value.encode()).hexdigest()[:12]: n for value, n in mix.items()})


def _half_to_json(half: Half) -> dict[str, Any]:
    return {
        "rows": half.rows,
        "lengths": {name: counts.tolist() for name, counts in half.lengths.items()},
        "languages": dict(sorted(half.languages.items())),
        "tags": {
            name: None if mix is None else dict(sorted(mix.items()))
            for name, mix in sorted(half.tags.items())
        },
        "vocabulary": _packed(half.vocabulary),
        "seen": _packed(half.seen),
        "sampled": _packed(half.sampled),
        "cells": _packed(half.cells),
    }


def _half_from_json(fields: dict[str, Any]) -> Half:
    tags: dict[str, dict[str, int] | None] = fields["tags"]
    return Half(
        rows=fields["rows"],
        lengths={n: np.array(counts, np.int64) for n, counts in fields["lengths"].items()},
        languages=Counter(fields["languages"]),
        tags={name: None if mix is None else Counter(mix) for name, mix in tags.items()},
        vocabulary=_unpacked(fields["vocabulary"], np.int64),
        seen=_unpacked(fields["seen"], np.uint8),
        sampled=_unpacked(fields["sampled"], np.uint64),
        cells=_unpacked(fields["cells"], np.uint32).reshape(-1, SAMPLED_PAIRS),
    )


def _packed(numbers: Any) -> str:
    data = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _unpacked(text: str, kind: Any) -> Any:
    data = zlib.decompress(base64.b64decode(text))
    return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).astype(kind)
