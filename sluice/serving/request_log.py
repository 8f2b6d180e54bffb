"""The log of answered requests and of what users said of the answers: tomorrow's training rows.

Its form is told in `sluice.data.intake.gateway_log`, which reads it. It holds what people wrote,
so only the gateway's own user can read it, and it is kept only if the recipe asks for it.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from sluice.data.intake.gateway_log import REQUESTS_FOLDER
from sluice.data.record import Message

log = logging.getLogger(__name__)
ID_START = "chatcmpl-"
DAY = "%Y%m%d"
DAY_CHARS = 8


def new_answer_id(now: datetime) -> str:
    """The id of an answer. It begins with the day, in whose file it is then looked for.

    The rest cannot be guessed: whoever knows it was given the answer, and may rate it.
    """
    return f"{ID_START}{now:{DAY}}{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered to its end."""

    id: str
    model: str
    version: str
    messages: Sequence[Message]
    answer: str
    finish_reason: str


class RequestLog:
    """Appends to the files of `serving/requests/`. Safe to call from several threads."""

    def __init__(self, serving: Path) -> None:
        """Keep the log in the `serving` folder of a home."""
        self._folder = serving / REQUESTS_FOLDER
        self._lock = threading.Lock()

    def note(self, answered: Answered) -> None:
        """Keep a request and its answer. Trouble is only logged: the user shall have the answer."""
        entry = {
            "kind": "request",
            "id": answered.id,
            "model": answered.model,
            "version": answered.version,
            "messages": [{"role": m.role, "content": m.content} for m in answered.messages],
            "answer": answered.answer,
            "finish_reason": answered.finish_reason,
        }
        try:
            self._append(_day_of(answered.id), entry)
        except OSError as error:
            log.warning("A request could not be kept in %s: %s", self._folder, error)

    def rate(self, id: str, rating: str, correction: str | None) -> bool:
        """Keep what a user said of an answer; False if no such answer was kept.

        Raises:
            OSError: it cannot be written.
        """
        if not self._has(id):
            return False
        entry = {"kind": "feedback", "id": id, "rating": rating, "correction": correction}
        self._append(datetime.now(UTC), entry)
        return True

    def _has(self, id: str) -> bool:
        sought = orjson.dumps(id)
        try:
            with self._file(_day_of(id)).open("rb") as file:
                return any(sought in line and _names(line, id) for line in file)
        except (ValueError, FileNotFoundError):
            return False

    def _file(self, day: datetime) -> Path:
        return self._folder / f"{day:%Y-%m-%d}.jsonl"

    def _append(self, day: datetime, entry: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
            handle = os.open(self._file(day), flags, 0o600)
            try:
                line = orjson.dumps({**entry, "at": at}) + b"\n"
                _write_all(handle, (b"" if _ends_a_line(handle) else b"\n") + line)
            finally:
                os.close(handle)


def _day_of(id: str) -> datetime:
    return datetime.strptime(id.removeprefix(ID_START)[:DAY_CHARS], DAY).replace(tzinfo=UTC)


def _names(line: bytes, id: str) -> bool:
    try:
        entry: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return entry.get("kind") == "request" and entry.get("id") == id


def _ends_a_line(handle: int) -> bool:
    """Whether the file is empty or ends a line: a process that was killed may have left half of
    one, which the next line must not join."""
    size = os.fstat(handle).st_size
    return size == 0 or os.pread(handle, 1, size - 1) == b"\n"


def _write_all(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]
