"""Is there anything new? A run is known by the digest of all that decides its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.data.ingest import is_ingested, snapshots, unseen_files
from sluice.home import Home
from sluice.lake import digest_of, file_digest
from sluice.recipe import Recipe
from sluice.refs import DatasetRef
from sluice.registry.approvals import Approvals
from sluice.run_record import RunRecord, concluded, read_records
from sluice.serving.pointer import read_pointer

# These sections decide when and where a model is served, not which model it is.
NOT_JUDGED = {"approval", "serving", "schedule"}


def run_key(recipe: Recipe, found: Sequence[DatasetRef]) -> str:
    """Digest of all that decides a run's verdict: batches, evaluation rows, and recipe."""
    held_out = recipe.data.evaluation
    return digest_of(
        [
            sorted(ref.digest for ref in found),
            file_digest(held_out) if held_out and held_out.exists() else None,
            recipe.model_dump(mode="json", exclude=NOT_JUDGED),
        ]
    )


def reason_to_skip(home: Home, key: str, batches: int) -> str | None:
    """Why a run with this key need not be done again, or None if it has work to do."""
    before: RunRecord | None = concluded(read_records(home.runs), key)
    if before is None or _champion_has_changed(home, before):
        return None
    return (
        f"nothing new: run {before.run_id} judged the same {batches} batches with the same "
        f"recipe, and ended as: {before.outcome}"
    )


def _champion_has_changed(home: Home, before: RunRecord) -> bool:
    """Whether that run's candidate still waits, but for a comparison with another champion.

    It cannot be promoted any more, and the same data may still make a better champion.
    """
    approvals = {found.evidence_digest: found for found in Approvals(home.approvals).all()}
    approval = approvals.get(before.evidence_digest or "")
    if approval is None or approval.state not in ("asked", "approved"):
        return False
    served = read_pointer(home.serving).current
    return (served.version if served else None) not in (approval.replaces, approval.version)


def nothing_new(home: Home, recipe: Recipe, batch: Sequence[Path] | None) -> str | None:
    """Why a run would be skipped, told in a moment and without starting anything; or None."""
    files = batch or unseen_files(recipe.data.landing or home.landing, home.lake)
    if any(not is_ingested(path, home.lake) for path in files):
        return None
    found = snapshots(home.lake)
    return reason_to_skip(home, run_key(recipe, found), len(found)) if found else None
