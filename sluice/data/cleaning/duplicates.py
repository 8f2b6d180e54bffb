"""Exact duplicates: rows whose whole conversation is the same text."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.data.record import Record
from sluice.data.similarity import folded
from sluice.lake import digest_of

DUPLICATE = "exact_duplicate"


def duplicate_key(record: Record) -> str:
    """Equal for conversations that differ at most in case and spacing."""
    return digest_of([[message.role, folded(message.content)] for message in record.messages])


def first_of_each(records: Sequence[Record]) -> list[int]:
    """For each row the index of the one that is kept in its place: the first by source, then line.

    Rows of equal source and line (a file that came again with the same name) keep their order.
    """
    firsts: dict[str, int] = {}
    keys = [duplicate_key(record) for record in records]
    for i in sorted(range(len(records)), key=lambda i: (records[i].source, records[i].line)):
        firsts.setdefault(keys[i], i)
    return [firsts[key] for key in keys]
