"""A lake with few rows and a tiny base, and trainings of them in a process of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sluice.child_process import Event
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.lake import Lake
from sluice.recipe import DataSection, ModelSection, Recipe, TrainingSection
from sluice.refs import DatasetRef, ModelRef
from sluice.training.base_model import resolve_base
from sluice.training.request import TrainingRequest
from sluice.training.train import train_step

SYSTEM = "You sell tents."
SETTINGS: dict[str, Any] = {
    "learning_rate": 5e-3,
    "epochs": 3,
    "batch_size": 4,
    "rank": 4,
    "alpha": 8,
    "dropout": 0.1,  # random at every step: resuming must restore the generators too
    "precision": "fp32",
    "threads": 1,
    "checkpoint_every_steps": 4,
}


def trainers() -> list[psutil.Process]:
    """The trainers that this process has started; a server of other tests may be its child too."""
    children = psutil.Process().children()
    return [child for child in children if "sluice.training.worker" in child.cmdline()]


@dataclass(frozen=True)
class Place:
    """A lake with a data set, a tiny base and a cache."""

    lake: Lake
    dataset: DatasetRef
    base: Path

    def train(
        self, on_event: Callable[[Event], None] = lambda event: None, **settings: Any
    ) -> ModelRef:
        return train_step(self.dataset, self.recipe(**settings), self.lake, self.cache, on_event)

    def recipe(self, **settings: Any) -> Recipe:
        return Recipe(
            model=ModelSection(name="shop", base=str(self.base), system_prompt=SYSTEM),
            data=DataSection(evaluation_share=0.1),
            training=TrainingSection(**{**SETTINGS, **settings}),
        )

    @property
    def cache(self) -> Path:
        return self.lake.root.parent / "cache"


def rows(count: int) -> list[Record]:
    chats = [
        (
            Message("user", f"How much is tent {n}?" + " Please tell me." * (n % 3)),
            Message("assistant", f"Tent {n} costs {n * 7} crowns."),
        )
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


def placed(folder: Path, base: Path | str, count: int = 24, validation: int = 4) -> Place:
    lake = Lake(folder / "lake")
    with lake.aside() as out:
        write_records(out / "train", rows(count))
        write_records(out / "validation", rows(count + validation)[count:])
        dataset = lake.commit(
            out, "contracted", "data", lambda uri, digest: DatasetRef(uri, digest, count)
        )
    return Place(lake, dataset, base)


def request_on(
    base: Path,
    settings: TrainingSection,
    work: Path,
    out: Path,
    *,
    name: str | None = None,
    start: Path | None = None,
    remote_code: bool = False,
) -> TrainingRequest:
    """A request without rows, for a trainer's pieces in the test's own process."""
    return TrainingRequest(
        base=name or str(base),
        base_folder=str(base),
        system_prompt=None,
        chat_template=None,
        remote_code=remote_code,
        train="",
        validation="",
        settings=settings,
        start=str(start) if start else None,
        work=str(work),
        out=str(out),
    )


def request_for(place: Place, work: Path, out: Path, **settings: Any) -> TrainingRequest:
    """What the trainer's process is asked for, with folders of the caller's."""
    recipe = place.recipe(**settings)
    data = place.lake.path(place.dataset)
    return TrainingRequest(
        base=recipe.model.base,
        base_folder=str(resolve_base(recipe.model.base, None, place.cache).folder),
        system_prompt=recipe.model.system_prompt,
        chat_template=None,
        remote_code=False,
        train=str(data / "train"),
        validation=str(data / "validation"),
        settings=recipe.training,
        start=None,
        work=str(work),
        out=str(out),
    )
