"""docs/reference/reasons.md: every reason with which a row leaves, by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pages.codes import (
    comparing_codes,
    keys_of,
    missed_codes,
    refuse_difference,
    reject_codes,
)
from pages.markdown import NOTE, sentence, table
from pages.meanings import COMPARED, MISSED, REJECTS, REPAIRS, VARIANTS
from sluice.data.augmentation.augment import CONTAMINATED, DUPLICATE, KEPT, OVER_CAP
from sluice.data.cleaning.masking import MASKED, PRIVATE
from sluice.data.cleaning.repaired import TRUNCATED
from sluice.data.cleaning.rules import RULES
from sluice.data.contamination import MIN_ANSWER_TOKENS
from sluice.data.drift import DriftReport
from sluice.data.drift.compare import Measure
from sluice.data.privacy import KINDS
from sluice.recipe import CleaningSection, ContractSection, PrivacySection, Recipe
from sluice.recipe.cleaning import REPAIR_NAMES, RULE_GROUP, RULE_NAMES

HEADER = ("code", "fate", "meaning", "recipe key")
SPLIT_ONLY = ("evaluation_reserve",)


def reasons_page() -> str:
    """The whole page."""
    parts = [
        NOTE,
        "# Why a row left\n",
        "Every row that leaves the path leaves with a stable code, is counted in the funnel of the "
        "report, and can be read back. Its fate is one of three: **rejected** (it never became a "
        "row), **dropped** (it is not wanted) or **quarantined** (a person may release it: "
        "`sluice quarantine`). Each is in `rejected.parquet`, `dropped.parquet` or "
        "`quarantined.parquet` of `sluice prepare`, and in the folder of `SLUICE_HOME/lake/` that "
        "is named below. The stages are in their order; a row leaves at the first that takes it.\n",
        _rejected(),
        _raw_contract(),
        _cleaned(),
        _compared(),
        _split(),
        _training_contracts(),
        _staying(),
        _variants(),
    ]
    return "\n".join(parts)


def _rejected() -> str:
    refuse_difference("REJECTS", reject_codes(), REJECTS)
    rows = [
        (f"`{code}`", "rejected", meaning.says, _keys(meaning.key))
        for code, meaning in sorted(REJECTS.items())
    ]
    return (
        "## Read\n\n"
        "In `raw/<digest>/rejects.parquet` with file, line, byte offset and detail; of a file that "
        "was refused as a whole, because more than `data.max_reject_share` of it could not be "
        "read, in `rejected/<digest>/rejects.parquet`. Nothing of the row is quoted.\n\n"
        f"{table(HEADER, rows)}"
    )


def _cleaned() -> str:
    refuse_difference("RULES", {code for code, _ in RULES}, dict.fromkeys(RULE_NAMES))
    rules = [
        (f"`{code}`", "dropped", sentence(rule.__doc__), _keys(*keys_of(rule), of="cleaning"))
        for code, rule in RULES
    ]
    return (
        "## Cleaned\n\n"
        "In `cleaned/<digest>/gone/`, as the rows came. They are repaired first, and the first "
        "rule that a repaired row breaks is its reason. Each rule is switched off by its name in "
        "`cleaning.off`. The rules of repetition and signs pass answers of fewer than "
        "`cleaning.min_measured_words` words. Rows of the held-out files that break a rule are "
        "counted as `held_out_gone` in the manifest of `curated/<digest>/`.\n\n"
        f"{table(HEADER, [*rules, *_private()])}\n"
        "A rule that an installed package adds (entry points of the group "
        f"`{RULE_GROUP}`) drops rows too; its name is the code.\n\n"
        "### Repairs\n\n"
        "These change a row and keep it; `repaired` in the manifest of `cleaned/<digest>/` counts "
        "the rows that each changed. In their order:\n\n"
        f"{table(('repair', 'what it does'), _repairs())}"
    )


def _private() -> list[tuple[str, str, str, str]]:
    section = PrivacySection()
    return [
        (
            f"`{PRIVATE}{kind}`",
            "dropped or quarantined, as set",
            f"{sentence(PrivacySection.model_fields[kind].description)} Default: "
            f"`{getattr(section, kind)}`.",
            f"`privacy.{kind}`",
        )
        for kind in KINDS
    ]


def _repairs() -> list[tuple[str, str]]:
    names = {*REPAIR_NAMES, f"{MASKED}<kind>", TRUNCATED}
    refuse_difference("REPAIRS", names, REPAIRS)
    return [(f"`{name}`", says) for name, says in REPAIRS.items()]


def _compared() -> str:
    refuse_difference("COMPARED", comparing_codes(), COMPARED)
    return (
        "## Compared\n\n"
        "In `compared/<digest>/gone/`: rows of all batches against each other and the held-out "
        "files. A row that has gone takes no part in what comes after it.\n\n"
        f"{table(HEADER, _leaving(c for c in COMPARED if c not in SPLIT_ONLY))}"
    )


def _split() -> str:
    copies = ("near_evaluation_question", "near_evaluation_answer")
    return (
        "## Split\n\n"
        "In `curated/<digest>/gone/`. With `data.evaluation_share`, training rows are compared "
        "with the rows that the hash chose.\n\n"
        f"{table(HEADER, _leaving((*copies, *SPLIT_ONLY)))}"
    )


def _leaving(codes: Iterable[str]) -> list[tuple[str, str, str, str]]:
    return [
        (
            f"`{code}`",
            COMPARED[code].fate,
            COMPARED[code].says.format(MIN_ANSWER_TOKENS=MIN_ANSWER_TOKENS),
            _keys(COMPARED[code].key),
        )
        for code in codes
    ]


def _raw_contract() -> str:
    # Late: importing Great Expectations takes longer than all the rest.
    from data_contracts.raw_records import raw_records_suite

    return (
        "## Raw contract\n\n"
        "In `checked/<digest>/gone/`. The reason is the expectation that failed first; the detail "
        "names all that did. Of the effects, **quarantined** takes the rows that break it (more "
        "than `contract.max_quarantined_share` of them stop the batch), **stops the batch** is "
        "about all of it, and a **warning** is only reported. What says *if set* is off by "
        "default. `contract.expectations` adds more, and beside what is listed every contract "
        "stops a batch that has no rows, a column that is null in every row, or a text that is "
        "blank in every row (`data_contracts/floor.py`).\n\n"
        "### data_contracts/raw_records.py\n\n"
        f"{_contract(raw_records_suite(ContractSection()), raw_records_suite(_every_limit()))}"
    )


def _training_contracts() -> str:
    from data_contracts.curated_examples import curated_examples_suite
    from data_contracts.evaluation_rows import evaluation_rows_suite
    from data_contracts.training_examples import training_examples_suite

    fields = {"model": {"name": "m", "base": "b"}, "data": {"evaluation_share": 0.1}}
    recipe = Recipe.model_validate(fields)
    every = recipe.model_copy(update={"contract": _every_limit()})
    facts = {"rows_in": 1, "gone": {"REASON": 1}}
    drift = DriftReport(1, 1, (Measure("MEASURE", "psi", 0, 0, 0, recipe.drift.psi),), None, None)
    curated = (curated_examples_suite(recipe, facts, None), curated_examples_suite)
    return (
        "## Training contracts\n\n"
        "In `contracted/<digest>/gone/`. They look at the rows that are left: curated examples and "
        "training examples at those that train or measure the loss, evaluation rows at those that "
        "models are judged by. Effects as above. `drift_MEASURE` needs a champion to compare with, "
        "and stops the batch with `drift.on_drift: stop`.\n\n"
        "### data_contracts/curated_examples.py\n\n"
        f"{_contract(curated[0], curated[1](every, facts, drift))}\n"
        "### data_contracts/training_examples.py\n\n"
        f"{_contract(training_examples_suite(recipe, counted=True))}\n"
        "### data_contracts/evaluation_rows.py\n\n"
        f"{_contract(evaluation_rows_suite(recipe, counted=True))}"
    )


def _every_limit() -> ContractSection:
    shares = {
        name: 0.5
        for name in ContractSection.model_fields
        if name.endswith("_share") or name == "max_drop_share_per_rule"
    }
    named = {"max_tag_share": {"TAG": 0.5}, "min_language_share": {"LANGUAGE": 0.5}}
    return ContractSection.model_validate({**shares, **named, "max_age_hours": 24})


def _contract(suite: Any, fullest: Any = None) -> str:
    from data_contracts.findings import code_of

    usual = {code_of(one): one for one in suite.expectations}
    more = {code_of(one): one for one in (fullest or suite).expectations}
    rows = [
        (f"`{code}`", _effect(one), sentence(one.description)) for code, one in usual.items()
    ] + [
        (f"`{code}`", f"{_effect(one)}, if set", _without_limit(one.description))
        for code, one in more.items()
        if code not in usual
    ]
    return table(("expectation", "effect", "meaning"), rows)


def _without_limit(says: str | None) -> str:
    """What an expectation with a made-up limit says, without that limit."""
    _, mark, key = sentence(says).rpartition(" (")
    return f"within its limit ({key}" if mark else sentence(says)


def _effect(expectation: Any) -> str:
    from data_contracts.groups import columns_of, type_of
    from sluice.recipe.expectations import is_batch_column

    severity = expectation.severity
    if str(getattr(severity, "value", severity)) != "critical":
        return "warning"
    about_rows = type_of(expectation).startswith("expect_column_values_")
    names = columns_of(expectation)
    return (
        "quarantined"
        if about_rows and not all(map(is_batch_column, names))
        else ("stops the batch")
    )


def _staying() -> str:
    rows = [
        ("`train`", "trained on"),
        ("`validation`", "kept for the validation loss (`data.validation_share`)"),
        ("`evaluation`", "judged by: chosen by a stable hash (`data.evaluation_share`)"),
    ]
    return (
        "## Rows that stayed\n\n"
        "`curated.parquet` of `sluice prepare` has as `reason` the side that a row is on. In the "
        "funnel of a run those that the hash chose are `chosen_for_evaluation`.\n\n"
        f"{table(('reason', 'meaning'), rows)}"
    )


def _variants() -> str:
    refuse_difference("MISSED", missed_codes(), MISSED)
    refuse_difference("VARIANTS", {KEPT, CONTAMINATED, DUPLICATE, OVER_CAP}, VARIANTS)
    return (
        "## Made-up rows\n\n"
        "Variants of training rows (`augmentation`) did not come in, so none is in the account. "
        "The manifest of `curated/<digest>/` counts what became of them under "
        "`variants_by_fate`, and under `augmentation` why a method made none of a row.\n\n"
        f"{table(('fate', 'meaning'), _plain(VARIANTS))}\n"
        f"{table(('no variant', 'meaning'), _plain(dict(sorted(MISSED.items()))))}"
    )


def _plain(meanings: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{code}`", says) for code, says in meanings.items()]


def _keys(*keys: str, of: str = "") -> str:
    """Keys as code; each may be a list of several."""
    names = [name for key in keys for name in key.split(", ") if name]
    own = CleaningSection.model_fields if of == "cleaning" else ()
    return ", ".join(f"`{of}.{name}`" if name in own else f"`{name}`" for name in names)
