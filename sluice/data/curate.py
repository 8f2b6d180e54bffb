"""The data steps over the lake: rows that passed the raw contract are cleaned, then split.

Every row that leaves does so in a file beside the ones that stay, with a reason. The files hold
no clock and no path, so the same input gives the same digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sluice.data.cleaning.clean import Cleaned, clean_records
from sluice.data.cleaning.rules import CountTokens, Dropped
from sluice.data.json_lines import write_json_lines
from sluice.data.reading import describe_rejects, read_alpaca
from sluice.data.record import Record, read_records, write_records
from sluice.data.split import Removed, Split, split_records
from sluice.data.tokens import record_token_counter, token_counter
from sluice.errors import BatchError
from sluice.lake import Lake, file_digest, step_key
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

CLEAN_VERSION = 1
SPLIT_VERSION = 1
SPLITS = ("train", "validation", "evaluation")


def clean_step(checked: DatasetRef, recipe: Recipe, lake: Lake, tokenizer_json: Path) -> DatasetRef:
    """Clean the rows of `checked/<digest>` into `cleaned/<digest>`.

    Leaves `records.parquet`, `dropped.parquet` (the rows as they came) and `dropped.jsonl` (why).

    Raises:
        BatchError: no row is left.
    """
    key = step_key(
        "clean", CLEAN_VERSION, checked.digest, *_cleaning_inputs(recipe, tokenizer_json)
    )
    cleaned = lake.find(key, DatasetRef)
    if cleaned is None:
        rows = read_records(lake.path(checked) / "records.parquet")
        result = clean_records(rows, recipe.cleaning, _counter(recipe, tokenizer_json))
        cleaned = _store_cleaned(result, lake, key)
    if cleaned.rows == 0:
        raise BatchError(_nothing_left(cleaned, lake))
    return cleaned


def split_step(
    cleaned: DatasetRef, recipe: Recipe, recipe_dir: Path, lake: Lake, tokenizer_json: Path
) -> DatasetRef:
    """Split the rows of `cleaned/<digest>` into `curated/<digest>`; `rows` counts training rows.

    Leaves `train.parquet`, `validation.parquet`, `evaluation.parquet`, and `removed.jsonl`: rows
    that resemble an evaluation row, and rows of the held-out file that cleaning dropped.

    Raises:
        BatchError: the held-out file cannot be read whole, or a side of the split is empty.
    """
    held_out = None if recipe.data.evaluation is None else recipe_dir / recipe.data.evaluation
    key = step_key(
        "split",
        SPLIT_VERSION,
        cleaned.digest,
        recipe.data.model_dump(include={"evaluation_share", "validation_share", "near_duplicate"}),
        _held_out_digest(held_out),
        *_cleaning_inputs(recipe, tokenizer_json),
    )
    curated = lake.find(key, DatasetRef)
    if curated is None:
        count = _counter(recipe, tokenizer_json)
        evaluation = _clean_held_out(held_out, recipe, count)
        rows = read_records(lake.path(cleaned) / "records.parquet")
        split = split_records(rows, evaluation.kept, recipe.data)
        curated = _store_split(split, evaluation, lake, key)
    _refuse_empty_sides(lake.manifest(curated), recipe)
    return curated


def read_split(folder: Path, name: str) -> list[Record]:
    """The rows of one of `SPLITS` in a curated or contracted folder."""
    return read_records(folder / f"{name}.parquet")


def _cleaning_inputs(recipe: Recipe, tokenizer_json: Path) -> tuple[Any, ...]:
    section = recipe.cleaning.model_dump(mode="json")
    return section, recipe.model.system_prompt, file_digest(tokenizer_json)


def _counter(recipe: Recipe, tokenizer_json: Path) -> CountTokens:
    return record_token_counter(token_counter(tokenizer_json), recipe.model.system_prompt)


def _dataset(rows: int) -> Callable[[str, str], DatasetRef]:
    return lambda uri, digest: DatasetRef(uri, digest, rows)


def _store_cleaned(result: Cleaned, lake: Lake, key: str) -> DatasetRef:
    with lake.aside() as folder:
        write_records(folder / "records.parquet", result.kept)
        write_records(folder / "dropped.parquet", (drop.record for drop in result.dropped))
        write_json_lines(folder / "dropped.jsonl", map(_dropped_row, result.dropped))
        return lake.commit(folder, "cleaned", key, _dataset(len(result.kept)), **result.counts)


def _nothing_left(cleaned: DatasetRef, lake: Lake) -> str:
    facts = lake.manifest(cleaned)
    reasons = ", ".join(f"{reason} {count}" for reason, count in facts["dropped"].items())
    return (
        f"Cleaning dropped all {facts['rows']} rows ({reasons}). Each is in "
        f"{lake.path(cleaned) / 'dropped.jsonl'} with its reason. "
        "Check the file, or relax the rules under `cleaning` in the recipe."
    )


def _held_out_digest(path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.is_file():
        raise BatchError(
            f"The held-out file {path} does not exist. `data.evaluation` is relative to the "
            "recipe's folder."
        )
    return file_digest(path)


def _clean_held_out(path: Path | None, recipe: Recipe, count: CountTokens) -> Cleaned:
    if path is None:
        return clean_records((), recipe.cleaning, count)
    batch = read_alpaca(path)
    if batch.rejects:  # a yardstick with holes would silently measure something else
        raise BatchError(
            f"The held-out file {path} has {len(batch.rejects)} unreadable lines: "
            f"{describe_rejects(batch.rejects)}. Every model is judged on it; mend it first."
        )
    return clean_records(batch.records, recipe.cleaning, count)


def _store_split(split: Split, evaluation: Cleaned, lake: Lake, key: str) -> DatasetRef:
    with lake.aside() as folder:
        write_records(folder / "train.parquet", split.train)
        write_records(folder / "validation.parquet", split.validation)
        write_records(folder / "evaluation.parquet", split.evaluation)
        gone = [*map(_removed_row, split.removed), *map(_dropped_row, evaluation.dropped)]
        write_json_lines(folder / "removed.jsonl", gone)
        facts = {
            "train": len(split.train),
            "validation": len(split.validation),
            "evaluation": len(split.evaluation),
            "removed": _by_reason(r.reason for r in split.removed),
            "evaluation_dropped": evaluation.counts["dropped"],
        }
        return lake.commit(folder, "curated", key, _dataset(len(split.train)), **facts)


def _refuse_empty_sides(facts: dict[str, Any], recipe: Recipe) -> None:
    if facts["train"] == 0:
        raise BatchError(
            f"No row is left to train on: {facts['evaluation']} are kept for evaluation, "
            f"{facts['validation']} for validation, and {sum(facts['removed'].values())} resemble "
            "an evaluation row. Bring rows that the held-out file does not have."
        )
    if facts["evaluation"] == 0:
        raise BatchError(
            f"No row is left to evaluate on (data.evaluation: {recipe.data.evaluation}, "
            f"data.evaluation_share: {recipe.data.evaluation_share}). Raise the share, or name a "
            "held-out file whose rows pass the cleaning rules."
        )


def _by_reason(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items()))


def _row(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "source": record.source,
        "line": record.line,
        "messages": [[message.role, message.content] for message in record.messages],
    }


def _dropped_row(drop: Dropped) -> dict[str, Any]:
    return {**_row(drop.record), "reason": drop.reason, "detail": drop.detail}


def _removed_row(gone: Removed) -> dict[str, Any]:
    extra = {"evaluation_id": gone.evaluation_id, "similarity": gone.similarity}
    return {**_row(gone.record), "reason": gone.reason, **extra}
