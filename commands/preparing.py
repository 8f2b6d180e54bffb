"""Prepare rows in a folder of one's own: nothing of the home is touched."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands.console import console, console_of_errors
from commands.progress_line import ProgressLine
from data_contracts.preparation import Preparation
from sluice.data.account import OUTCOMES, Account, write_account
from sluice.data.counts import added_up
from sluice.data.funnel import Stage, funnel
from sluice.data.ingest import Intake, ingest_new, ingest_places
from sluice.data.intake.live import live_batches
from sluice.data.reading import Place, find_places
from sluice.errors import BatchError, SluiceError
from sluice.freshness import shelves_of
from sluice.home import Home, cache_dir
from sluice.lake import Lake, read_json
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe
from sluice.training.base_model import base_of

WORK = ".work"
DOCS = "data_docs"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a preparation left in `output`."""

    output: Path
    intake: Intake
    stages: tuple[Stage, ...]
    account: Account
    repaired: dict[str, int]
    notes: list[str]
    contract: dict[str, Any]
    seconds: dict[str, float]

    @property
    def rows_in(self) -> int:
        """Rows that came in: all but those that were made up."""
        return sum(sum(self.account[outcome].values()) for outcome in OUTCOMES)

    def to_json(self) -> str:
        """Rows by outcome and reason, as JSON."""
        rows = {name: sum(reasons.values()) for name, reasons in self.account.items()}
        return json.dumps(
            {
                "rows": {"in": self.rows_in, **rows},
                "reasons": self.account,
                "forms": {taken.name: taken.form for taken in self.intake.taken},
                "stages": [
                    {"stage": stage.name, "rows": stage.rows, "gone": dict(stage.reasons)}
                    for stage in self.stages
                ],
                "repaired": self.repaired,
                "notes": self.notes,
                "seconds": self.seconds,
                "contract": self.contract,
                "output": str(self.output),
            },
            ensure_ascii=False,
            indent=2,
        )


def prepare_here(
    path: Path, inputs: Sequence[str] | None, output: Path, *, quiet: bool
) -> Prepared:
    """Run the data steps over `inputs`, or over what the recipe names, into `output`.

    Raises:
        BatchError, ContractError: the data is refused; the Data Docs say why.
    """
    recipe = load_recipe(path)
    output = output.absolute()
    lake = Lake(output / WORK)
    for left in (lake.root, output / DOCS):  # of an earlier preparation, or one that was killed
        shutil.rmtree(left, ignore_errors=True)
    with ProgressLine(quiet=quiet) as line:
        preparation = Preparation(
            recipe, path.absolute().parent, lake, output / DOCS, _tokenizer(recipe, quiet), line
        )
        started = time.monotonic()
        intake = _take_in(preparation, inputs)
        seconds = {"read": round(time.monotonic() - started, 3)}
        trail = preparation.whole(live_batches(lake, recipe.data, datetime.now(UTC)))
    started = time.monotonic()
    account = write_account(trail, lake, output)
    seconds |= preparation.seconds | {"write": round(time.monotonic() - started, 3)}
    contract = read_json(lake.path(trail.contracted) / "contract.json")
    (output / "contract.json").write_text(json.dumps(contract, ensure_ascii=False, indent=2))
    stages = funnel(trail, lake)
    notes = lake.manifest(trail.compared)["notes"]
    repaired = added_up(lake.manifest(batch)["repaired"] for batch in trail.cleaned)
    shutil.rmtree(lake.root)
    return Prepared(output, intake, stages, account, repaired, notes, contract, seconds)


def _tokenizer(recipe: Recipe, quiet: bool) -> Path | None:
    try:
        return base_of(recipe.model, cache_dir()).tokenizer_file
    except SluiceError as error:
        if not quiet:
            console.print(
                "[yellow]note[/] The base model is not here, so rows are not measured in its "
                f"tokens, and cleaning.max_tokens is not applied. ({error})"
            )
        return None


def _places(uri: str) -> list[Place]:
    if "://" not in uri and not Path(uri).exists() and not set(uri) & set("*?["):
        raise BatchError(f"There is no file or folder {uri}. Nothing was prepared.")
    return find_places(uri, None, Path.cwd())


def _tell_copies(places: Sequence[Place], intake: Intake) -> None:
    """Name the files of which nothing was read, because another one holds the same bytes."""
    read = {taken.name for taken in intake.taken}
    copies = [place.name for place in places if place.name not in read]
    if copies and not intake.refused:
        console_of_errors.print(
            f"[yellow]note[/] {', '.join(copies)}: the same bytes as another file, read once."
        )


def _take_in(preparation: Preparation, inputs: Sequence[str] | None) -> Intake:
    recipe, lake, engine = preparation.recipe, preparation.lake, preparation.engine
    engine.begin("read", 0)
    if inputs:
        places = [place for uri in inputs for place in _places(uri)]
        intake = ingest_places(places, lake, recipe.data, engine)
        _tell_copies(places, intake)
    else:
        intake = ingest_new(
            lake,
            recipe.data,
            shelves_of(Home.current(), recipe),
            engine,
            settle_seconds=recipe.schedule.settle_seconds,
        )
    if intake.refused:
        raise intake.refused[0].error
    if not intake.taken:
        raise BatchError(
            "There is nothing to prepare: name files with --input, or put some into the landing "
            "folder or the sources of the recipe."
        )
    return intake
