"""Take a batch out of training by hand, and let it back in. Its bytes stay where they are."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sluice.errors import BatchError
from sluice.lake import MANIFEST, Lake, read_json, write_json

HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a batch, and why. `at` is UTC, ISO 8601."""

    what: Literal["withdrawn", "restored"]
    who: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """All that was decided about one batch; the last decision holds."""

    digest: str
    decisions: tuple[Decision, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the batch is out now."""
        return bool(self.decisions) and self.decisions[-1].what == "withdrawn"


def withdraw(lake: Lake, prefix: str, who: str, why: str) -> str:
    """Leave a batch out of everything from now on; returns its whole digest.

    Args:
        lake: where the batch lies.
        prefix: the first characters of its digest.
        who: name of the person who decides.
        why: the reason, for whoever asks later.

    Raises:
        BatchError: no batch, or more than one, has such a digest; or it is out already.
    """
    return _decide(lake, prefix, Decision("withdrawn", who, why, _now()))


def restore(lake: Lake, prefix: str, who: str, why: str = "") -> str:
    """Let a withdrawn batch count again; returns its whole digest.

    Raises:
        BatchError: no batch, or more than one, has such a digest; or it is not out.
    """
    return _decide(lake, prefix, Decision("restored", who, why, _now()))


def withdrawals(lake: Lake) -> list[Withdrawal]:
    """All batches about which something was decided, by their digests."""
    return [_read(path) for path in sorted((lake.root / "withdrawn").glob("*.json"))]


def withdrawn_digests(lake: Lake) -> frozenset[str]:
    """The digests of the batches that are out now."""
    return frozenset(found.digest for found in withdrawals(lake) if found.holds)


def _decide(lake: Lake, prefix: str, decision: Decision) -> str:
    digest = _only_batch(lake, prefix)
    path = lake.root / "withdrawn" / f"{digest}.json"
    before = _read(path) if path.exists() else Withdrawal(digest)
    if before.holds == (decision.what == "withdrawn"):
        state = "withdrawn already" if before.holds else "not withdrawn"
        raise BatchError(f"Batch {digest[:12]} is {state}; nothing was changed.")
    write_json(path, asdict(replace(before, decisions=(*before.decisions, decision))))
    return digest


def _only_batch(lake: Lake, prefix: str) -> str:
    known = [path.parent.name for path in (lake.root / "raw").glob(f"*/{MANIFEST}")]
    found = sorted(digest for digest in known if digest.startswith(prefix))
    if not HEX.fullmatch(prefix) or not found:
        raise BatchError(
            f"No batch has a digest that begins with {prefix!r}; {len(known)} batches lie in "
            f"{lake.root / 'raw'}, each in a folder named after its digest."
        )
    if len(found) > 1:
        shown = ", ".join(digest[: len(prefix) + 8] for digest in found[:3])
        raise BatchError(
            f"{len(found)} batches have a digest that begins with {prefix!r}: {shown}. "
            "Give more of it."
        )
    return found[0]


def _read(path: Path) -> Withdrawal:
    fields: dict[str, Any] = read_json(path)
    return Withdrawal(fields["digest"], tuple(Decision(**d) for d in fields["decisions"]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
