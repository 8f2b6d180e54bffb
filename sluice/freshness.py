"""Is there anything new? A run is known by the digest of all that decides its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sluice.data.intake.gateway_log import REQUESTS_FOLDER
from sluice.data.intake.live import live_batches
from sluice.data.intake.news import Shelves, is_ingested, may_have_news
from sluice.data.quarantine import SOURCE
from sluice.home import Home
from sluice.lake import digest_of, file_digest
from sluice.recipe import DataSection, Recipe, SourceSection
from sluice.refs import DatasetRef
from sluice.registry.approvals import Approvals
from sluice.run_record import RunRecord, concluded, newest_concluded, read_records
from sluice.serving.pointer import read_pointer

# These sections decide when and where a model is served, or where the work is done, not which
# model it is.
NOT_JUDGED = frozenset({"approval", "serving", "schedule", "compute"})
# What these keys decide is in the batches, which count by their content; the paths of held-out
# files do not count either, but their bytes do.
IN_THE_BATCHES = frozenset(
    {
        *("landing", "sources", "window", "max_line_bytes", "max_nesting"),
        *("max_decompressed_bytes", "max_reject_share", "evaluation", "guards"),
    }
)
# Sections whose change has work done again that was done before, and what that work is.
DONE_AGAIN = {
    "cleaning": ("the cleaning rules", "{batches} cleaned again"),
    "privacy": ("the treatment of private data", "{batches} cleaned again"),
    "contract": ("the limits of the contracts", "{batches} checked again"),
    "duplicates": ("the treatment of duplicates", "all rows are compared again"),
    "poisoning": ("the guards against poisoning", "all rows are compared again"),
    "augmentation": ("the augmentation", "the training rows are made again"),
    "data": ("`data`", "the rows are divided again"),
    "held_out": ("the held-out rows", "all rows are compared with them again"),
    "drift": ("the limits of drift", "drift is judged again"),
    "model": ("the model", "a new one is trained"),
    "training": ("the training", "a new model is trained"),
    "evaluation": ("the way of scoring", "the models are scored again"),
    "gate": ("the gate's rules", "the verdict is given again"),
}


def run_key(recipe: Recipe, found: Sequence[DatasetRef]) -> str:
    """Digest of all that decides a run's verdict: live batches, held-out rows, and recipe."""
    return digest_of([sorted(ref.digest for ref in found), _judged(recipe), _held_out(recipe)])


def section_digests(recipe: Recipe) -> dict[str, str]:
    """The digest of each part of a recipe that decides a verdict; a run's record keeps them.

    `held_out` stands for the bytes of the evaluation file and the guards.
    """
    digests = {name: digest_of(values) for name, values in _judged(recipe).items()}
    return {**digests, "held_out": digest_of(_held_out(recipe))}


def what_changed(home: Home, recipe: Recipe, key: str) -> str | None:
    """What the recipe has another way than the last run that judged, and what that has done again.

    None if nothing has, if that run had the same key, or if there was none.
    """
    before = newest_concluded(read_records(home.runs))
    if before is None or before.key == key or not before.sections:
        return None
    now = section_digests(recipe)
    changed = [name for name in DONE_AGAIN if now.get(name) != before.sections.get(name)]
    if not changed:
        return None
    count = len(live_batches(home.lake, data_of(home, recipe), datetime.now(UTC)))
    batches = f"all {count} batches are" if count != 1 else "the one batch is"
    told = [
        f"{what} changed since run {before.run_id}, so {done.format(batches=batches)}"
        for what, done in (DONE_AGAIN[name] for name in changed)
    ]
    return "; ".join(told)


def data_of(home: Home, recipe: Recipe) -> DataSection:
    """Where rows come from: as the recipe says, and what a person has sent back."""
    if not home.released.is_dir():
        return recipe.data
    released = SourceSection(name="back", uri=str(home.released), form="messages")
    released = released.model_copy(update={"name": SOURCE})  # a name that no recipe may use
    return recipe.data.model_copy(update={"sources": (*recipe.data.sources, released)})


def shelves_of(home: Home, recipe: Recipe) -> Shelves:
    """Where the landing folder and the gateway's log of requests are."""
    return Shelves(recipe.data.landing or home.landing, home.serving / REQUESTS_FOLDER)


def reason_to_skip(home: Home, key: str, batches: int) -> str | None:
    """Why a run with this key need not be done again, or None if it has work to do."""
    before: RunRecord | None = concluded(read_records(home.runs), key)
    if before is None or _champion_has_changed(home, before):
        return None
    return (
        f"nothing new: run {before.run_id} judged the same {batches} batches with the same "
        f"recipe, and ended as: {before.outcome}"
    )


def nothing_new(home: Home, recipe: Recipe, batch: Sequence[Path] | None) -> str | None:
    """Why a run would be skipped, told in a moment and without starting anything; or None.

    None also where a moment does not tell: of a source that is a query, for one.
    """
    if batch:
        if any(not is_ingested(path, home.lake, recipe.data) for path in batch):
            return None
    elif may_have_news(home.lake, data_of(home, recipe), shelves_of(home, recipe)):
        return None
    found = live_batches(home.lake, data_of(home, recipe), datetime.now(UTC))
    return reason_to_skip(home, run_key(recipe, found), len(found)) if found else None


def _judged(recipe: Recipe) -> dict[str, Any]:
    sections = recipe.model_dump(mode="json", exclude=set(NOT_JUDGED))
    data = {k: v for k, v in sections["data"].items() if k not in IN_THE_BATCHES}
    return {**sections, "data": data}


def _held_out(recipe: Recipe) -> list[str | None]:
    files = (recipe.data.evaluation, *recipe.data.guards)
    return [file_digest(path) if path and path.exists() else None for path in files]


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
