"""What a method says about one row: the messages of its variant, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sluice.data.augmentation.draws import Draws
from sluice.data.record import Message, Record, content_id

METHOD_TAG = "augmented"
PARENT_TAG = "augmented_from"


@dataclass(frozen=True, slots=True)
class Missed:
    """No variant of a row. `reason` is a stable code; `detail` says more, and quotes no row."""

    reason: str
    detail: str = ""
    failed: bool = False  # the method could not do its work, and might at another time


Variant = tuple[Message, ...] | Missed


class Maker(Protocol):
    """A method, with its dictionaries read. Picklable, for it travels to other processes."""

    @property
    def name(self) -> str:
        """The name of the method in the recipe."""
        ...

    def variants(self, records: Sequence[Record], draws: Sequence[Draws]) -> list[Variant]:
        """One variant of each row, or why there is none; in order."""
        ...


def with_question(record: Record, question: str) -> tuple[Message, ...]:
    """The messages of a row with another text for the last thing that the user said."""
    last = max(i for i, m in enumerate(record.messages) if m.role == "user")
    changed = replace(record.messages[last], content=question)
    return (*record.messages[:last], changed, *record.messages[last + 1 :])


def child(parent: Record, method: str, messages: tuple[Message, ...]) -> Record:
    """The variant as a row: marked, and with its own (source, line)."""
    tags = dict(parent.tags) | {METHOD_TAG: method, PARENT_TAG: parent.id}
    return replace(
        parent,
        id=content_id(messages, parent.tools),
        messages=messages,
        source=f"{parent.source}+{method}",
        tags=tuple(sorted(tags.items())),
    )
