"""Advice on a recipe that is valid but unusual. It never stops a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sluice.recipe import USUAL_RATES, Recipe

FAR = 4.0  # times above or below what is usual: then it is worth a word
FEW_ROWS = 100
SCALED_BY_ALPHA = ("lora", "qlora", "dora", "pissa", "hybrid", "adalora")
MANY_EPOCHS = 10
LITTLE_NEW = 0.2  # share of the training rows


def advise(recipe: Recipe, batches: list[Path]) -> list[str]:
    """One sentence for each thing that is unusual, the weightiest first."""
    return [
        *_rate(recipe),
        *_alpha(recipe),
        *_rows(recipe, batches),
        *_replay(recipe),
        *_lengths(recipe),
        *_gate(recipe),
        *_host(recipe),
    ]


def _rate(recipe: Recipe) -> Iterator[str]:
    rate, usual = recipe.training.rate, USUAL_RATES[recipe.training.method]
    if not usual / FAR <= rate <= usual * FAR:
        yield (
            f"training.learning_rate {rate:g} is far from what is usual for "
            f"{recipe.training.method} (about {usual:g}). Small models and few rows bear more; "
            "watch the validation loss."
        )


def _alpha(recipe: Recipe) -> Iterator[str]:
    rank, alpha = recipe.training.rank, recipe.training.alpha
    if recipe.training.method in SCALED_BY_ALPHA and not rank <= alpha <= 4 * rank:
        yield (
            f"training.alpha {alpha} is far from 2 x rank ({2 * rank}): the adapter's effect is "
            f"scaled by alpha / rank = {alpha / rank:g}."
        )


def _rows(recipe: Recipe, batches: list[Path]) -> Iterator[str]:
    rows = sum(_lines(path) for path in batches)
    if batches and rows < FEW_ROWS:
        yield (
            f"There are {rows} lines in {len(batches)} files; from fewer than {FEW_ROWS} rows a "
            "model learns style rather than facts."
        )
    if recipe.training.epochs > MANY_EPOCHS:
        yield f"training.epochs {recipe.training.epochs:g}: small data is learned by heart by then."


def _replay(recipe: Recipe) -> Iterator[str]:
    replay = recipe.training.replay
    general = replay.general_share if replay.general_source else 0.0
    new = 1.0 - (replay.older_share or 0.0) - general
    if new < LITTLE_NEW:
        yield (
            f"training.replay leaves {max(new, 0.0):.0%} of the training rows to new ones: what is "
            "new is learned slowly, and most of the time goes to what is known."
        )


def _lengths(recipe: Recipe) -> Iterator[str]:
    if recipe.evaluation.max_new_tokens > recipe.serving.max_new_tokens:
        yield (
            f"evaluation.max_new_tokens {recipe.evaluation.max_new_tokens} is more than serving "
            f"allows ({recipe.serving.max_new_tokens}): longer answers are judged than are served."
        )


def _gate(recipe: Recipe) -> Iterator[str]:
    if all(rule.rule in ("at_least", "at_most") for rule in recipe.gate.rules):
        yield "gate.rules compare with no other model: a worse candidate could replace a better."
    rows = _lines(recipe.data.evaluation) if recipe.data.evaluation else None
    if rows is not None and rows < recipe.gate.min_rows:
        yield (
            f"data.evaluation has {rows} lines, gate.min_rows asks for {recipe.gate.min_rows}: "
            "every verdict will be inconclusive."
        )


def _host(recipe: Recipe) -> Iterator[str]:
    if recipe.serving.host not in ("127.0.0.1", "localhost", "::1"):
        yield (
            f"serving.host {recipe.serving.host}: the gateway has no keys of its own for chat; put "
            "a proxy with authentication in front of it."
        )


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
