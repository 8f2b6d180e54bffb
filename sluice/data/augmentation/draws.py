"""What is drawn for a row follows from the seed, the row's id and the method: nothing else.

So a variant is the same whichever process makes it, in whatever order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """The random numbers of one row and one method."""

    def __init__(self, seed: int, row_id: str, method: str) -> None:
        """Start the row's own sequence."""
        digest = hashlib.sha256(f"{seed}\n{method}\n{row_id}".encode()).digest()
        self.rank = int.from_bytes(digest[:8], "big")
        # Of random.Random only random() is promised to give the same numbers in every Python.
        self._random = random.Random(int.from_bytes(digest[8:], "big"))

    @property
    def place(self) -> float:
        """The rank as a share of all ranks, in [0, 1)."""
        return (self.rank >> 11) / 2**53

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely as the others."""
        return choices[int(self._random.random() * len(choices))]
