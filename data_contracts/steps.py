"""The two contract steps over the lake: raw records before cleaning, training examples after.

The contracted folders hold no Data Docs, which carry times and run ids: the same input must give
the same digest. Docs go to a folder of the run, under the contract's name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_contracts.check import Checked, Quarantined, check_rows
from data_contracts.raw_records import raw_records_suite
from data_contracts.training_examples import training_examples_suite
from sluice.data.curate import SPLITS, read_split
from sluice.data.json_lines import write_json_lines
from sluice.data.record import Record, read_records, write_records
from sluice.data.similarity import folded
from sluice.data.tokens import record_token_counter, token_counter
from sluice.errors import BatchError, ContractError
from sluice.lake import Lake, file_digest, step_key, write_json
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

RAW_VERSION = 1
TRAINING_VERSION = 1
_ENDINGS = frozenset(".!?…:;)]}\"'”’»。！？）】」』；：~")


def raw_contract_step(
    snapshots: Sequence[DatasetRef], recipe: Recipe, lake: Lake, docs_folder: Path
) -> DatasetRef:
    """Check the rows of all snapshots and combine those that pass into `checked/<digest>`.

    Leaves `records.parquet`, `quarantined.jsonl` (which, where from, why), `quarantined.parquet`
    (the rows themselves) and `contract.json`. Data Docs go to `docs_folder/raw_records`.

    Raises:
        BatchError: there are no snapshots.
        ContractError: the batch breaks the contract; its Data Docs are written nevertheless.
    """
    if not snapshots:
        raise BatchError(
            "There is no data yet: no file was ingested. Put a .jsonl file into the landing "
            "folder, or name one with --batch."
        )
    docs = docs_folder / "raw_records"
    inputs = [snapshot.digest for snapshot in snapshots]
    key = step_key("check-raw", RAW_VERSION, inputs, recipe.contract.model_dump())
    checked = lake.find(key, DatasetRef)
    if checked is not None:
        _bring_docs(lake.manifest(checked), docs)
        return checked
    rows = [
        row
        for snapshot in snapshots
        for row in read_records(lake.path(snapshot) / "records.parquet")
    ]
    result = check_rows(rows, raw_records_suite(), contract=recipe.contract, docs_folder=docs)
    with lake.aside() as folder:
        write_records(folder / "records.parquet", result.kept)
        _write_verdict(folder, result)
        make_ref = _dataset(len(result.kept))
        return lake.commit(folder, "checked", key, make_ref, **_facts(result, docs))


def training_contract_step(
    curated: DatasetRef, recipe: Recipe, lake: Lake, tokenizer_json: Path, docs_folder: Path
) -> DatasetRef:
    """Check the three splits of `curated/<digest>` and store what passes in `contracted/<digest>`.

    Leaves `train.parquet`, `validation.parquet`, `evaluation.parquet`, and the same account of
    quarantine as the raw step; `rows` counts training rows. Data Docs go to
    `docs_folder/training_examples`.

    Raises:
        ContractError: the batch breaks the contract; its Data Docs are written nevertheless.
    """
    docs = docs_folder / "training_examples"
    key = _training_key(curated, recipe, tokenizer_json)
    contracted = lake.find(key, DatasetRef)
    if contracted is not None:
        _bring_docs(lake.manifest(contracted), docs)
        return contracted
    sides = {name: read_split(lake.path(curated), name) for name in SPLITS}
    result = check_rows(
        [row for name in SPLITS for row in sides[name]],
        training_examples_suite(recipe),
        contract=recipe.contract,
        docs_folder=docs,
        extra=_training_columns(sides, recipe, tokenizer_json),
    )
    kept = _without(sides, result.quarantined)
    _refuse_too_few(kept, recipe, docs)
    with lake.aside() as folder:
        for name in SPLITS:
            write_records(folder / f"{name}.parquet", kept[name])
        _write_verdict(folder, result)
        facts = {**_facts(result, docs), **{name: len(rows) for name, rows in kept.items()}}
        make_ref = _dataset(len(kept["train"]))
        return lake.commit(folder, "contracted", key, make_ref, **facts)


def _training_key(curated: DatasetRef, recipe: Recipe, tokenizer_json: Path) -> str:
    return step_key(
        "check-training",
        TRAINING_VERSION,
        curated.digest,
        recipe.contract.model_dump(),
        recipe.cleaning.model_dump(mode="json"),
        recipe.model.system_prompt,
        file_digest(tokenizer_json),
    )


def _dataset(rows: int) -> Callable[[str, str], DatasetRef]:
    return lambda uri, digest: DatasetRef(uri, digest, rows)


def _training_columns(
    sides: dict[str, list[Record]], recipe: Recipe, tokenizer_json: Path
) -> dict[str, list[Any]]:
    count = record_token_counter(token_counter(tokenizer_json), recipe.model.system_prompt)
    judged = {folded(row.question) for row in sides["evaluation"]}
    rows = [(name, row) for name in SPLITS for row in sides[name]]
    return {
        "split": [name for name, _ in rows],
        "tokens": [count(row) for _, row in rows],
        "in_train": [int(name == "train") for name, _ in rows],
        "in_evaluation": [int(name == "evaluation") for name, _ in rows],
        "question_in_evaluation": [
            int(name != "evaluation" and folded(row.question) in judged) for name, row in rows
        ],
        "open_ending": [int(row.answer[-1:] not in _ENDINGS) for _, row in rows],
    }


def _without(
    sides: dict[str, list[Record]], quarantined: Sequence[Quarantined]
) -> dict[str, list[Record]]:
    away = {row.position for row in quarantined}
    kept: dict[str, list[Record]] = {}
    start = 0
    for name in SPLITS:
        rows = sides[name]
        kept[name] = [row for i, row in enumerate(rows, start) if i not in away]
        start += len(rows)
    return kept


def _refuse_too_few(kept: dict[str, list[Record]], recipe: Recipe, docs: Path) -> None:
    """The suite counted rows before quarantine; this counts those that are left after it."""
    wanted = {"train": recipe.contract.min_rows, "evaluation": 1}
    for name, minimum in wanted.items():
        if len(kept[name]) < minimum:
            raise ContractError(
                f"training_examples: {len(kept[name])} {name} rows are left after quarantine, and "
                f"at least {minimum} are needed. Nothing was trained. All results: "
                f"{docs / 'index.html'}. Bring more rows, or lower contract.min_rows on purpose."
            )


def _write_verdict(folder: Path, result: Checked) -> None:
    write_json_lines(
        folder / "quarantined.jsonl",
        (
            {
                "id": row.record.id,
                "source": row.record.source,
                "line": row.record.line,
                "expectation": row.expectations[0],  # the reason under which the row is counted
                "all_expectations": list(row.expectations),
            }
            for row in result.quarantined
        ),
    )
    write_records(folder / "quarantined.parquet", (row.record for row in result.quarantined))
    write_json(folder / "contract.json", result.summary)


def _facts(result: Checked, docs: Path) -> dict[str, Any]:
    names = ("rows", "kept", "quarantined", "warnings")
    return {**{name: result.summary[name] for name in names}, "data_docs": str(docs.absolute())}


def _bring_docs(facts: dict[str, Any], docs: Path) -> None:
    """A step that was done before wrote its Data Docs to another run's folder: copy them."""
    earlier = Path(facts["data_docs"])
    if earlier.is_dir() and earlier != docs.absolute():
        shutil.copytree(earlier, docs, dirs_exist_ok=True)
