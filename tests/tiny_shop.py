"""A shop in miniature: a base model, a recipe and a home in one folder, and the real commands.

Its base is random, so that training makes it better beyond doubt in seconds; every other part is
the one that users run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml
from tiny_models import build_tiny_base

from sluice.data.json_lines import read_json_lines
from sluice.home import Home
from sluice.run_record import RunRecord, read_records

ROOT = Path(__file__).parents[1]
DATA = ROOT / "examples" / "customer_service"
MONTH_1, MONTH_2 = DATA / "2026-09.jsonl", DATA / "2026-10.jsonl"
# Absolute: a scaled-down recipe lies in a temporary folder.
HELD_OUT = DATA / "evaluation.jsonl"
# It must beat the random base, which any training does, and may not be much worse than a champion.
REACHABLE: list[dict[str, Any]] = [
    {"rule": "better", "metric": "perplexity", "than": "base"},
    {"rule": "not_worse", "metric": "perplexity", "margin": 0.5, "relative": True},
]
T = TypeVar("T")


def tiny_recipe(base: str, **changes: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's sections; `changes` are laid over a section's own values."""
    sections: dict[str, dict[str, Any]] = {
        "model": {"name": "tiny-shop", "base": base, "system_prompt": "You help."},
        "data": {"evaluation": str(HELD_OUT)},
        "cleaning": {"max_tokens": 400},
        "contract": {"min_rows": 50},
        "training": {
            "learning_rate": 0.01,
            "epochs": 8,
            "batch_size": 16,
            "rank": 4,
            "alpha": 8,
            "precision": "fp32",
            "threads": 1,
            "checkpoint_every_steps": 5,
        },
        "evaluation": {"max_new_tokens": 8, "batch_size": 46, "resamples": 200},
        "gate": {"rules": REACHABLE, "min_rows": 50},
        "serving": {"max_new_tokens": 16},
        "schedule": {"settle_seconds": 0.5, "poll_seconds": 0.5},
    }
    for name, values in changes.items():
        sections[name] = {**sections.get(name, {}), **values}
    return sections


@contextlib.contextmanager
def same_environment_after() -> Iterator[None]:
    """Restore the environment: MLflow writes the store that it is given into it, for children."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class TinyShop:
    """A home of its own, with the commands that a user would type in it."""

    root: Path
    base: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def build(cls, root: Path, base: Path | None = None) -> TinyShop:
        """A shop in a folder; the base is shared if one is given."""
        shop = cls(root, base or build_tiny_base(root / "base"))
        shop.home.root.mkdir(parents=True, exist_ok=True)
        shop.write_recipe()
        return shop

    @property
    def home(self) -> Home:
        return Home(self.root / "home")

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    def write_recipe(self, file: str = "recipe.yaml", **changes: Mapping[str, Any]) -> Path:
        """A recipe beside the shop's own, with changes."""
        path = self.root / file
        path.write_text(yaml.safe_dump(tiny_recipe(str(self.base), **changes)), encoding="utf-8")
        return path

    @property
    def variables(self) -> dict[str, str]:
        """The environment that ties a process to this shop."""
        return {
            "SLUICE_HOME": str(self.home.root),
            "SLUICE_CACHE": str(self.base.parent / "cache"),
            "HF_HUB_OFFLINE": "1",
            **self.environment,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `sluice ARGUMENTS` in the shop's folder, outside the checkout."""
        return subprocess.Popen(
            [sys.executable, "-m", "commands.main", *arguments],
            cwd=self.root,
            env={**os.environ, "COLUMNS": "200", **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run `sluice ARGUMENTS`; whatever its exit code."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.send_signal(signal.SIGINT)  # lets it stop what it started
            process.communicate(timeout=60)
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def ok(self, *arguments: str, timeout: float = 300) -> str:
        """Run `sluice ARGUMENTS`, which must succeed; returns what it printed."""
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, f"sluice {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Tie this process to the shop, and untie it again."""
        with same_environment_after():
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            os.environ.update(self.variables)
            yield

    def status(self) -> dict[str, Any]:
        """`sluice status --json`."""
        facts: dict[str, Any] = json.loads(self.ok("status", "--json"))
        return facts

    def records(self) -> list[RunRecord]:
        """The records of all runs, the newest first."""
        return read_records(self.home.runs)

    def history(self, record: RunRecord) -> list[dict[str, Any]]:
        """The events of a finished training, as the lake keeps them."""
        folder = self.home.lake.root / "training"
        return read_json_lines(folder / f"{record.model_digest}.jsonl")

    def loss_curve(self, record: RunRecord) -> list[int]:
        """The steps of which MLflow has a training loss, in its order."""
        from sluice.registry.connection import client_for
        from sluice.registry_location import local_store

        with same_environment_after():
            client: Any = client_for(local_store(self.home)[0])
            points: Any = client.get_metric_history(record.tracking_run_id, "train/loss")
        return [point.step for point in points]

    def drop(self, file: Path) -> None:
        """Let a file arrive in the landing folder, whole."""
        self.home.landing.mkdir(parents=True, exist_ok=True)
        aside = self.home.landing / f".{file.name}"
        aside.write_bytes(file.read_bytes())
        aside.rename(self.home.landing / file.name)


def retrain_in(shop: TinyShop, *batch: Path, recipe: Path | None = None) -> RunRecord:
    """The retrain flow in this process, on whatever Prefect server it knows; returns the record."""
    from flows.retrain import retrain

    before = {record.run_id for record in shop.records()}
    with shop.entered():
        retrain(str(recipe or shop.recipe), [str(file) for file in batch], return_state=True)
    (record,) = [record for record in shop.records() if record.run_id not in before]
    return record


def versions_of(shop: TinyShop) -> dict[str, str]:
    """Aliases of the registered model and the versions that they name, from the embedded store."""
    from sluice.registry.versions import CHALLENGER, CHAMPION, by_alias
    from sluice.registry_location import local_store

    uri, _ = local_store(shop.home)
    with same_environment_after():
        found = {alias: by_alias(uri, "tiny-shop", alias) for alias in (CHAMPION, CHALLENGER)}
    return {alias: version.version for alias, version in found.items() if version}


def processes_of(shop: TinyShop) -> list[psutil.Process]:
    """Every process that belongs to a shop, whoever is its parent: it has the home's name in it."""
    home = str(shop.home.root)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            named = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(home in text for text in named):
                found.append(process)
    return found


def trainers_of(shop: TinyShop) -> list[psutil.Process]:
    """The training processes of a shop."""
    found: list[psutil.Process] = []
    for process in processes_of(shop):
        with contextlib.suppress(psutil.Error):
            if "sluice.training.worker" in process.cmdline():
                found.append(process)
    return found


def trained_steps(shop: TinyShop) -> int:
    """How many steps the training that is under way has done; 0 while there is none."""
    newest = 0
    for events in shop.home.lake.root.glob("work/train-*/events.jsonl"):
        for line in events.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # the last line may be half written
                newest = max(newest, json.loads(line).get("step", 0))
    return newest


def nothing_runs(shop: TinyShop, seconds: float = 5) -> bool:
    """Whether no process of a shop is left, after a moment; fails with what is left."""
    deadline = time.monotonic() + seconds
    while left := processes_of(shop):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.1)
    return True


def kill(*processes: psutil.Process) -> None:
    """kill -9, with all that they started."""
    family = [c for process in processes for c in (process, *process.children(recursive=True))]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def eventually(look: Callable[[], T | None], what: str, seconds: float = 120) -> T:
    """The first true value of `look`; fails by name if none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"within {seconds:.0f} s there was no {what}")
