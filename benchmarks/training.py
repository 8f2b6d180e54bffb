"""How fast a model is trained, beside TRL and LLaMA-Factory as they come.

    python -m benchmarks.training [--json] [--rows 192] [--rounds 3] [--methods [NAMES]]

All sides train the same LoRA (rank, alpha, layers, rate, schedule of the demo's recipe) on the
same rows of its shop for one epoch, in alternating order, each round with a seed of its own. What
a user of a side need not choose stays at that side's default. The tokens that count are those that
are no padding; see benchmarks/training_sides.py for the clock. Each side's adapter is put on the
same base in fp32 and scored by the same code on rows that nobody trained on.

Then each of Sluice's methods trains once, for fewer steps; `--methods none` leaves that out. Needs
an otherwise idle machine.

`ratios` are our median tokens per second over theirs, `peak_memory_ratio` our median peak over
TRL's, `limit_share` how much we reach of what this machine's matrix products, measured between
the rounds, would allow (benchmarks/matrix_limit.py).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from transformers.utils import logging as transformers_logging

from benchmarks.matrix_limit import flops_per_token, measured_flops, medians
from benchmarks.peers import cache, environment
from benchmarks.training_figures import Scored, report, table
from benchmarks.training_loss import Judge, trained_bytes
from benchmarks.training_sides import LLAMA_FACTORY, MEASURED, SIDES, SLUICE, trained
from benchmarks.training_task import ROOT, Task, evaluation_rows, make_task, training_rows
from sluice.errors import SluiceError
from sluice.home import cache_dir
from sluice.recipe import Method
from sluice.recipe.training import USUAL_RATES
from sluice.recipe_file import load_recipe
from sluice.training.base_model import base_of
from sluice.training.loading import load_tokenizer, use_threads

METHODS: tuple[Method, ...] = get_args(Method)
NONE = "none"


def scored(name: str, task: Task, judge: Judge, work: Path) -> Scored:
    """Train one side once, and score what it learned."""
    result = trained(name, task, work)
    return Scored(
        tokens_per_second=result.tokens_per_second,
        peak_memory_mb=result.peak_memory_mb,
        seconds=result.seconds,
        evaluation_loss=judge.loss(result.folder),
    )


def measured(
    task: Task, judge: Judge, names: Sequence[str], rounds: int, work: Path
) -> tuple[dict[str, list[Scored]], dict[str, float]]:
    """What the sides did in all rounds, and the matrix products' speeds between them."""
    found: dict[str, list[Scored]] = {name: [] for name in names}
    flops = [measured_flops()]
    for turn in range(rounds):
        seeded = task.with_settings(seed=task.settings.seed + turn)
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(scored(name, seeded, judge, work))
            sys.stderr.write(f"{name}: evaluation loss {found[name][-1].evaluation_loss:.4f}\n")
        flops.append(measured_flops())
    return found, medians(flops)


def method_row(method: Method, task: Task, judge: Judge, work: Path) -> dict[str, Any]:
    """Train with one method, and what came of it; a method that fails says why.

    Each method gets as many times its usual rate as the recipe gives LoRA.
    """
    rate = USUAL_RATES[method] * task.settings.rate / USUAL_RATES[task.settings.method]
    row: dict[str, Any] = {"method": method, "learning_rate": rate}
    try:
        result = trained(SLUICE, task.with_settings(method=method, learning_rate=rate), work)
        quantization = task.settings.quantization if method == "qlora" else None
        return row | {
            "tokens_per_second": result.tokens_per_second,
            "peak_memory_mb": result.peak_memory_mb,
            "evaluation_loss": judge.loss(result.folder, quantization),
            "size_mb": trained_bytes(result.folder) / 1e6,
        }
    except (SluiceError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{method}: {error}\n")
        return row | {"failed": str(error).splitlines()[0]}


def figures_of(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures of one run."""
    recipe = load_recipe(ROOT / "recipes/customer_service.yaml")
    base = base_of(recipe.model, cache_dir())
    tokenizer = load_tokenizer(base.folder)
    judge = Judge(base, tokenizer, evaluation_rows(recipe), recipe.model.system_prompt)

    def task_of(count: int, name: str) -> Task:
        made = make_task(training_rows(recipe, count), recipe, base, tokenizer, folder / name)
        return made.with_settings(epochs=1.0, seed=given.seed)

    task = task_of(given.rows, "all")
    found, flops = measured(task, judge, given.sides, given.rounds, folder / "work")
    few = task_of(given.method_steps * recipe.training.batch_size, "few")
    rows = [method_row(method, few, judge, folder / "work") for method in given.methods]
    per_token = flops_per_token(base.folder, task.answer_tokens / task.tokens)
    asked = {"rows": given.rows, "tokens": task.tokens, "answer_tokens": task.answer_tokens}
    return report(found, rows, per_token, flops) | asked | {"loss_of_the_base": judge.loss(None)}


def arguments() -> argparse.Namespace:
    """The command line; `methods` comes out as the methods themselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--rows", type=int, default=192, help="8 rows are one step")
    parser.add_argument("--rounds", type=int, default=3, help="seeds of each side")
    parser.add_argument("--seed", type=int, default=7, help="of the first round")
    parser.add_argument("--sides", nargs="*", choices=list(SIDES), default=list(MEASURED))
    parser.add_argument("--methods", nargs="*", choices=[*METHODS, NONE], default=[])
    parser.add_argument("--method-steps", type=int, default=12)
    given = parser.parse_args()
    chosen = given.methods or METHODS  # without names: all of them
    given.methods = [method for method in METHODS if method in chosen and NONE not in chosen]
    return given


def main() -> None:
    """Measure and print."""
    given = arguments()
    transformers_logging.disable_progress_bar()
    use_threads(None)
    cache().mkdir(parents=True, exist_ok=True)
    if any(name.startswith(LLAMA_FACTORY) for name in given.sides):
        environment(LLAMA_FACTORY)  # made before any clock runs
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        figures = figures_of(given, Path(name))
    sys.stdout.write(json.dumps(figures) + "\n" if given.json else table(figures))


if __name__ == "__main__":
    main()
