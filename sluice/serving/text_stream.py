"""From tokens to text that can be sent at once: whole characters, cut at stop strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BROKEN = "\ufffd"  # what decoding gives for bytes that are not (yet) a character


class TokenText:
    """Turns tokens into text one by one and never ends a piece inside a character.

    A Chinese character or an emoji is often two or three tokens. Each step decodes only the last
    few tokens, so a long answer costs no more per token than a short one.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._start = 0  # decoding begins here: some tokens earlier, as spaces depend on them
        self._sent = 0  # tokens before this one have been given out as text

    def push(self, token: int) -> str:
        """The text that this token completes; empty if a character is still open."""
        self._ids.append(token)
        text = self._new_text()
        if not text or text.endswith(BROKEN):
            return ""
        self._start, self._sent = self._sent, len(self._ids)
        return text

    def flush(self) -> str:
        """What is left when no more tokens come; half a character is dropped."""
        return self._new_text().rstrip(BROKEN)

    def _new_text(self) -> str:
        known = self._decode(self._ids[self._start : self._sent])
        return self._decode(self._ids[self._start :])[len(known) :]


class StopText:
    """Passes text on until a stop string occurs, without white space at either end.

    Text that may be the beginning of a stop string is held back until it is known not to be, and
    white space until more text follows: what was sent cannot be taken back. `stopped` tells
    whether a stop string has occurred.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self._begun = False
        self.stopped = False

    def push(self, text: str) -> str:
        """What may be sent now that this text has come."""
        if self.stopped:
            return ""
        self._held += text
        cuts = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        self.stopped = bool(cuts)
        safe = min(cuts) if cuts else len(self._held) - self._possible_stop()
        return self._take(safe)

    def flush(self) -> str:
        """What was held back, now that no more text comes."""
        return "" if self.stopped else self._take(len(self._held))

    def _take(self, safe: int) -> str:
        ready = self._held[:safe].rstrip()
        self._held = self._held[len(ready) :]
        ready = ready if self._begun else ready.lstrip()
        self._begun = self._begun or bool(ready)
        return ready

    def _possible_stop(self) -> int:
        sizes = (
            size
            for stop in self._stops
            for size in range(min(len(stop) - 1, len(self._held)), 0, -1)
            if self._held.endswith(stop[:size])
        )
        return max(sizes, default=0)
