"""How much the environment of the trainer's process decides: waiting threads, memory, kernels kept.

    python -m benchmarks.training_environment [--rounds 3]

Trains the demo's model on the same 64 rows for 8 steps under each environment, in alternating
order, and prints the median of tokens per second (from the end of the second step on: the first
ones also allocate) with the ratio to the plain environment. Needs an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from sluice.child_process import COMPUTE, EVENTS, run_module
from sluice.data.held_out import read_whole
from sluice.data.parts import write_records
from sluice.home import cache_dir
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe
from sluice.training.base_model import base_of
from sluice.training.launch import MODULES
from sluice.training.request import TrainingRequest

ROOT = Path(__file__).parent.parent
ROWS, WARM_STEPS = 64, 2
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
PLAIN = {"GOMP_SPINCOUNT": "", "GLIBC_TUNABLES": "", KERNELS: ""}
KEPT = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"
SIDES: dict[str, dict[str, str]] = {
    "plain": PLAIN,
    "threads sleep at once": PLAIN | {"OMP_WAIT_POLICY": "PASSIVE"},
    "threads spin briefly": PLAIN | {"GOMP_SPINCOUNT": COMPUTE["GOMP_SPINCOUNT"]},
    "memory kept in huge pages": PLAIN | {"GLIBC_TUNABLES": KEPT},
    "few kernels kept": PLAIN | {KERNELS: COMPUTE[KERNELS]},
    "as shipped": COMPUTE,
}


def tokens_per_second(side: dict[str, str], recipe: Recipe, rows: Path) -> float:
    """One training under an environment. An empty value takes the variable away."""
    base = base_of(recipe.model, cache_dir())
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ, side):
        for variable in [v for v, value in side.items() if not value]:
            del os.environ[variable]
        work = Path(name)
        request = TrainingRequest(
            base=recipe.model.base,
            base_folder=str(base.folder),
            system_prompt=recipe.model.system_prompt,
            chat_template=recipe.model.chat_template,
            remote_code=base.remote_code,
            train=str(rows),
            validation=str(rows.with_name("none")),
            settings=recipe.training,
            start=None,
            work=str(work),
            out=str(work / "out"),
        )
        with patch.dict("sluice.child_process.COMPUTE", clear=True):
            run_module(
                MODULES["local"],
                request.to_json(),
                work,
                on_event=lambda event: None,
                timeout_seconds=900,
            )
        events = [json.loads(line) for line in (work / EVENTS).read_text().splitlines()]
    steps = [event for event in events if event["kind"] == "step"]
    warm, last = steps[WARM_STEPS - 1], steps[-1]
    return (last["tokens"] - warm["tokens"]) / (last["seconds"] - warm["seconds"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    recipe = load_recipe(ROOT / "recipes/customer_service.yaml")
    once = recipe.training.model_copy(update={"epochs": 1.0, "checkpoint_every_steps": 1000})
    recipe = recipe.model_copy(update={"training": once})
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as name:
        rows = Path(name) / "rows"
        good, _ = read_whole(ROOT / "examples/customer_service/evaluation.jsonl", recipe.data)
        write_records(rows, good[:ROWS])
        write_records(rows.with_name("none"), [])
        for _ in range(rounds):
            for side, environment in SIDES.items():
                found[side].append(tokens_per_second(environment, recipe, rows))
                sys.stderr.write(f"{side}: {found[side][-1]:.0f} tokens/s\n")
    plain = statistics.median(found["plain"])
    for side, speeds in found.items():
        middle = statistics.median(speeds)
        spread = f"{min(speeds):.0f} to {max(speeds):.0f}"
        sys.stdout.write(f"{side:<28} {middle:>6.0f} tokens/s ({spread})  x{middle / plain:.2f}\n")


if __name__ == "__main__":
    main()
