"""Small files, and how the reading tests read them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.data.outcomes import Reject
from sluice.data.reading import Limits, RawRow, find_places, read_shard, shards

LIMITS = Limits(max_line_bytes=1024 * 1024, max_nesting=32, max_decompressed_bytes=1024**3)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file held."""

    rows: list[RawRow]
    rejects: list[Reject]

    @property
    def values(self) -> list[dict[str, Any]]:
        return [row.values for row in self.rows]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(reject.line, reject.reason) for reject in self.rejects]


def alpaca(question: str, answer: str, **more: Any) -> str:
    """One line of JSON Lines."""
    fields = {"instruction": question, "input": "", "output": answer, **more}
    return json.dumps(fields, ensure_ascii=False)


def limits(max_line_bytes: int = 1024 * 1024, max_decompressed_bytes: int = 1024**3) -> Limits:
    return Limits(max_line_bytes, 32, max_decompressed_bytes)


def sort_out(found: list[RawRow | Reject]) -> Found:
    rows = [row for row in found if isinstance(row, RawRow)]
    return Found(rows, [row for row in found if isinstance(row, Reject)])


def read_uri(uri: str, within: Limits = LIMITS, name: str | None = None) -> Found:
    """All that is under a path or URL."""
    found: list[RawRow | Reject] = []
    for place in find_places(uri, name, Path()):
        for shard in shards(place, within):
            found += read_shard(shard, within)
    return sort_out(found)


def read(content: bytes, name: str = "jan.jsonl", within: Limits = LIMITS) -> Found:
    """What a file of these bytes holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_uri(str(path), within)
