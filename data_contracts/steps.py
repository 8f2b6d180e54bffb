"""The contract steps over the lake: raw records of each batch, and what is to be trained on.

The contracted folders hold no Data Docs, which carry times: the same input must give the same
digest. Docs go to a folder of the run, under the contract's name.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_contracts.batch import Measures, drop_measures
from data_contracts.check import check_parts
from data_contracts.curated_examples import curated_examples_suite
from data_contracts.docs_index import write_index
from data_contracts.docs_page import write_docs
from data_contracts.evaluation_rows import evaluation_rows_suite
from data_contracts.frame import Outside
from data_contracts.raw_records import raw_records_suite
from data_contracts.rows import Rows
from data_contracts.storing import store
from data_contracts.training_examples import training_examples_suite
from data_contracts.verdict import Verdict, explain, verdict_on
from sluice.data.drift import DriftReport
from sluice.data.parts import Part, iterate, parts_of
from sluice.data.record import Record
from sluice.data.similarity import folded
from sluice.data.tokens import token_counts
from sluice.errors import ContractError
from sluice.lake import Lake, file_digest, step_key, write_json
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

RAW_VERSION = 2
TRAINING_VERSION = 2
TRAINED_SIDES = ("train", "validation")
RECORDS = "records"


def raw_contract_step(
    snapshot: DatasetRef, recipe: Recipe, lake: Lake, docs_folder: Path
) -> DatasetRef:
    """Check the rows of one new batch; those that pass go into `checked/<digest>`.

    Leaves `records/`, `gone/` (quarantined rows with what they broke) and `contract.json`. Data
    Docs go to `docs_folder/raw_records/<digest>`, and an index of all batches beside them.

    Raises:
        ContractError: the batch breaks the contract; its Data Docs are written nevertheless.
    """
    docs = docs_folder / "raw_records" / snapshot.digest[:12]
    key = step_key("check-raw", RAW_VERSION, snapshot.digest, _limits(recipe))
    checked = lake.find(key, DatasetRef)
    if checked is not None:
        _bring_docs(lake.manifest(checked), docs)
        write_index(docs.parent)
        return checked
    parts = parts_of([lake.path(snapshot) / RECORDS])
    read_at = lake.manifest(snapshot).get("ingested_at")
    found = check_parts(parts, [raw_records_suite(recipe.contract)], Outside(), read_at=read_at)
    verdicts = [verdict_on(one, parts, recipe.contract.max_quarantined_share) for one in found]
    write_docs(verdicts[0], docs)
    write_index(docs.parent)
    _stop_if_broken(verdicts, docs_folder)
    with lake.aside() as folder:
        kept, gone = store(folder, parts, verdicts, 0)
        write_json(folder / "contract.json", verdicts[0].summary)
        facts = _facts(verdicts, gone, docs)
        return lake.commit(folder, "checked", key, partial(DatasetRef, rows=kept[RECORDS]), **facts)


def training_contract_step(
    curated: DatasetRef,
    recipe: Recipe,
    lake: Lake,
    tokenizer_json: Path | None,
    docs_folder: Path,
    *,
    facts: Mapping[str, Any] | None = None,
    drift: DriftReport | None = None,
) -> DatasetRef:
    """Check the splits of `curated/<digest>`; what passes goes into `contracted/<digest>`.

    Three contracts: curated examples and training examples for `train/` and `validation/`, and
    evaluation rows. Leaves the three splits, `gone/` and `contract.json`; `rows` counts training
    rows. Data Docs go to folders of `docs_folder` under the contracts' names. `facts` say what
    earlier steps took out: `rows_in`, and `gone` by reason. Without a tokenizer no tokens are
    counted.

    Raises:
        ContractError: the batch breaks a contract; all Data Docs are written nevertheless.
    """
    facts = facts or {}
    key = _training_key(curated, recipe, tokenizer_json, facts, drift)
    contracted = lake.find(key, DatasetRef)
    if contracted is not None:
        for name, docs in _docs_of(docs_folder).items():
            _bring_docs({"data_docs": lake.manifest(contracted)["data_docs_of"][name]}, docs)
        return contracted
    trained = parts_of(lake.path(curated) / side for side in TRAINED_SIDES)
    judged = parts_of([lake.path(curated) / "evaluation"])
    verdicts = _verdicts(lake.path(curated), trained, judged, recipe, tokenizer_json, facts, drift)
    for verdict in verdicts:
        write_docs(verdict, docs_folder / verdict.checked.contract)
    _stop_if_broken(verdicts, docs_folder)
    with lake.aside() as folder:
        kept, gone = store(folder, trained, verdicts[:2], 0)
        others, more = store(folder, judged, verdicts[2:], len(trained))
        rows = {**kept, **others}
        _refuse_too_few(rows, recipe, docs_folder)
        write_json(folder / "contract.json", {v.checked.contract: v.summary for v in verdicts})
        return lake.commit(
            folder,
            "contracted",
            key,
            partial(DatasetRef, rows=rows["train"]),
            **_facts(verdicts, gone + more, docs_folder / "training_examples"),
            **rows,
            drift=drift.to_json() if drift else None,
            data_docs_of={n: str(d.absolute()) for n, d in _docs_of(docs_folder).items()},
        )


def _verdicts(
    curated: Path,
    trained: Sequence[Part],
    judged: Sequence[Part],
    recipe: Recipe,
    tokenizer_json: Path | None,
    facts: Mapping[str, Any],
    drift: DriftReport | None,
) -> list[Verdict]:
    counted = tokenizer_json is not None
    outside = Outside(
        _questions(curated / "evaluation"),
        _token_counter(tokenizer_json, recipe) if tokenizer_json else None,
    )
    known: Measures = {**drop_measures(facts), **(drift.to_measures() if drift else {})}
    suites = [
        curated_examples_suite(recipe, facts, drift),
        training_examples_suite(recipe, counted=counted),
    ]
    on_trained = check_parts(trained, suites, outside, known)
    on_judged = check_parts(judged, [evaluation_rows_suite(recipe, counted=counted)], outside)
    limit = recipe.contract.max_quarantined_share
    return [
        *(verdict_on(one, trained, limit) for one in on_trained),
        *(verdict_on(one, judged, limit) for one in on_judged),
    ]


def _token_counter(tokenizer_json: Path, recipe: Recipe) -> Callable[[list[Record]], list[int]]:
    prompt = recipe.model.system_prompt
    return partial(token_counts, tokenizer_json=tokenizer_json, system_prompt=prompt)


def _questions(folder: Path) -> frozenset[str]:
    found: set[str] = set()
    for table in iterate(folder):
        found.update(folded(text) for text in Rows(table).question.to_pylist() if text)
    return frozenset(found)


def _training_key(
    curated: DatasetRef,
    recipe: Recipe,
    tokenizer_json: Path | None,
    facts: Mapping[str, Any],
    drift: DriftReport | None,
) -> str:
    return step_key(
        "check-training",
        TRAINING_VERSION,
        curated.digest,
        _limits(recipe),
        recipe.cleaning.model_dump(mode="json"),
        recipe.duplicates.exact,
        recipe.model.system_prompt,
        file_digest(tokenizer_json) if tokenizer_json else None,
        drop_measures(facts),
        [recipe.drift.model_dump(mode="json"), drift.to_json()] if drift else None,
    )


def _limits(recipe: Recipe) -> dict[str, Any]:
    return recipe.contract.model_dump(mode="json")


def _docs_of(docs_folder: Path) -> dict[str, Path]:
    names = ("curated_examples", "training_examples", "evaluation_rows")
    return {name: docs_folder / name for name in names}


def _stop_if_broken(verdicts: Sequence[Verdict], docs_folder: Path) -> None:
    reasons = explain(verdicts, docs_folder)
    if reasons is not None:
        raise ContractError(reasons)


def _refuse_too_few(rows: Mapping[str, int], recipe: Recipe, docs_folder: Path) -> None:
    """The suites counted rows before quarantine; this counts those that are left after it."""
    wanted = {
        "train": ("training_examples", recipe.contract.min_rows),
        "evaluation": ("evaluation_rows", 1),
    }
    for side, (contract, minimum) in wanted.items():
        if rows[side] < minimum:
            raise ContractError(
                f"{contract}: {rows[side]} {side} rows are left after quarantine, and at least "
                f"{minimum} are needed. Nothing was trained. All results: "
                f"{docs_folder / contract / 'index.html'}. Bring more rows, or lower "
                "contract.min_rows on purpose."
            )


def _facts(verdicts: Sequence[Verdict], gone: Counter[str], docs: Path) -> dict[str, Any]:
    summaries = {verdict.checked.contract: verdict.summary for verdict in verdicts}
    rows = {v.checked.contract: v.checked.rows for v in verdicts}
    rows.pop("curated_examples", None)  # the same rows as the training examples
    quarantined = sum(gone.values())
    return {
        "rows": sum(rows.values()),
        "kept": sum(rows.values()) - quarantined,
        "quarantined": quarantined,
        "gone": dict(sorted(gone.items())),
        "warnings": sum(summary["warnings"] for summary in summaries.values()),
        "data_docs": str(docs.absolute()),
    }


def _bring_docs(facts: Mapping[str, Any], docs: Path) -> None:
    """A step that was done before wrote its Data Docs to another run's folder: copy them."""
    earlier = Path(facts["data_docs"])
    if earlier.is_dir() and earlier != docs.absolute():
        shutil.copytree(earlier, docs, dirs_exist_ok=True)
