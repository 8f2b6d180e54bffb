"""The worked examples: each recipe's templates read its rows, and the rows are fit to be judged by.

Each step is tried on them where it is at home; here it is what a user sees of the rows themselves,
and then the whole path from the file to the rows that train, contracts and all.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from sluice.data.cleaning.clean import clean_records
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.forms import converter
from sluice.data.outcomes import Reject
from sluice.data.reading import Limits, RawRow, find_places, read_shard, shards
from sluice.data.record import Record
from sluice.data.similarity import jaccard, shingles
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe
from tests.unit.data.preparing import Outcome, prepare

ROOT = Path(__file__).parents[3]
FOLDERS = {"legal_clauses": "legal", "machine_logs": "machine_logs"}
NAMES = ("legal_clauses", "machine_logs", "medical_notes")
NEAR = 0.8
# Planted in the plans of eight visits: numbers of nobody, whose checksums are right.
LOST = {
    "legal_clauses": {"missing_analysis.type": 1, "missing_analysis.risk": 1},
    "machine_logs": {"missing_sensor_data": 1, "missing_diagnosis": 1},
    "medical_notes": {},
}
PRIVATE = re.compile(r"1[35]\d-?\d{4}-?\d{4}|\d{17}[\dX]|[\w.]+@[\w.]+")

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


@cache
def recipe_of(name: str) -> Recipe:
    return load_recipe(ROOT / "recipes" / f"{name}.yaml")


@cache
def read(name: str, file: str) -> tuple[list[Record], list[Reject]]:
    data = recipe_of(name).data
    limits = Limits.of(data)
    convert = converter("mapping", data.mapping, data.tags)
    records: list[Record] = []
    rejects: list[Reject] = []
    for place in find_places(str(ROOT / "examples" / FOLDERS.get(name, name) / file), None, ROOT):
        for shard in shards(place, limits):
            for row in read_shard(shard, limits):
                found = convert(row, place.name) if isinstance(row, RawRow) else row
                (rejects if isinstance(found, Reject) else records).append(found)  # type: ignore[arg-type]
    return records, rejects


def training(name: str) -> list[Record]:
    return read(name, "2026-09.jsonl")[0]


def evaluation(name: str) -> list[Record]:
    return read(name, "evaluation.jsonl")[0]


@pytest.mark.parametrize("name", NAMES)
def test_there_are_enough_rows_and_all_of_the_evaluation_file_is_usable(name: str) -> None:
    assert 60 <= len(training(name)) <= 120
    assert len(evaluation(name)) >= max(20, recipe_of(name).gate.min_rows)
    assert read(name, "evaluation.jsonl")[1] == []


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("legal_clauses", ["missing_analysis.type", "missing_analysis.risk"]),
        ("machine_logs", ["missing_sensor_data", "missing_diagnosis"]),
        ("medical_notes", []),
    ],
)
def test_a_row_that_lacks_a_field_is_rejected_with_the_fields_name(
    name: str, reasons: list[str]
) -> None:
    assert [reject.reason for reject in read(name, "2026-09.jsonl")[1]] == reasons


def test_a_clause_becomes_a_question_and_nested_fields_its_answer() -> None:
    record = training("legal_clauses")[0]
    assert record.question.startswith("解析法律条款\n劳务合作合同：乙方员工离岗时")
    assert record.answer == (
        "类型：保密\n义务：乙方离岗员工交还文件和介质；签署交还确认书\n"
        "风险：中。律师费列入赔偿，败诉一方负担较重"
    )
    assert record.tags == (("category", "保密"), ("risk", "中"))


def test_nested_readings_become_one_canonical_text() -> None:
    record = training("machine_logs")[0]
    assert record.question == (
        "Diagnose the machine from its sensor data.\nMachine: exhaust fan A32\n"
        'Readings: {"current_a":11.4,"rpm":1447,"temperature_c":{"bearing":56.4,"motor":63.1},'
        '"vibration_mm_s":{"axial":1.4,"radial":6.8}}'
    )
    assert record.received_at == "2026-09-01T11:36:00+00:00"
    assert (record.tag("category"), record.tag("contributor")) == ("watch", "t6")


def test_a_list_of_symptoms_is_joined_and_what_is_missing_is_left_blank() -> None:
    records = training("medical_notes")
    assert all(re.search(r"\n症状：\S+\n体温\d\d\.\d℃", record.question) for record in records)
    assert any(record.question.endswith("\n既往：") for record in records)
    assert all((record.received_at or "").endswith("+00:00") for record in records)


@pytest.mark.parametrize("name", NAMES)
def test_nearly_all_rows_differ_enough_to_be_kept(name: str) -> None:
    whole = [shingles(record.question + "\n" + record.answer) for record in training(name)]
    twins = {
        j
        for i, one in enumerate(whole)
        for j, two in enumerate(whole[:i])
        if jaccard(one, two) >= NEAR
    }
    assert len(twins) <= 0.02 * len(whole)


@pytest.mark.parametrize("name", NAMES)
def test_no_evaluation_row_is_near_a_training_row(name: str) -> None:
    limit = recipe_of(name).data.near_duplicate
    for part in ("question", "answer"):
        trained = [shingles(getattr(record, part)) for record in training(name)]
        for record in evaluation(name):
            text = getattr(record, part)
            assert all(jaccard(shingles(text), other) < limit for other in trained), text


@pytest.mark.parametrize("name", NAMES)
def test_cleaning_keeps_every_row(name: str) -> None:
    settings = CleanSettings.of(recipe_of(name), None)
    for rows in (training(name), evaluation(name)):
        assert clean_records(rows, settings).gone == ()


def test_planted_private_data_is_masked_and_nothing_else_is_changed() -> None:
    rows = training("medical_notes")
    planted = {record.line for record in rows if PRIVATE.search(record.answer)}
    kept = clean_records(rows, CleanSettings.of(recipe_of("medical_notes"), None)).kept
    assert {
        new.line for old, new in zip(rows, kept, strict=True) if old.messages != new.messages
    } == planted
    assert len(planted) == 8
    assert not any(PRIVATE.search(record.answer) for record in kept)
    assert sum("[电话]" in record.answer for record in kept) == 4


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_patient_and_no_private_data_elsewhere(name: str) -> None:
    rows = [*training(name), *evaluation(name)]
    assert not any(PRIVATE.search(record.question) for record in rows)
    assert not any(PRIVATE.search(record.answer) for record in evaluation(name))


# The whole path


@pytest.fixture(scope="module", params=NAMES)
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Outcome]:
    name: str = request.param
    file = ROOT / "examples" / FOLDERS.get(name, name) / "2026-09.jsonl"
    return name, prepare(tmp_path_factory.mktemp(name), [file], recipe_of(name))


def test_every_readable_row_trains_and_the_others_say_what_they_lack(
    prepared: tuple[str, Outcome],
) -> None:
    name, outcome = prepared
    assert outcome.account["rejected"] == LOST[name]
    assert outcome.account["dropped"] == outcome.account["quarantined"] == {}
    assert sum(outcome.account["curated"].values()) == len(training(name))
    assert len(outcome.fates()) == len(training(name)) + len(read(name, "2026-09.jsonl")[1])
    assert outcome.trail.contracted.rows >= recipe_of(name).contract.min_rows


def test_all_held_out_rows_are_judged_by_and_nothing_private_is_left(
    prepared: tuple[str, Outcome],
) -> None:
    name, outcome = prepared
    manifest = outcome.lake.manifest(outcome.trail.contracted)
    assert manifest["evaluation"] == len(evaluation(name))
    texts = [turn["content"] for row in outcome.rows("curated") for turn in row["messages"]]
    assert not [text for text in texts if PRIVATE.search(text)]


def test_tags_and_times_come_through_to_the_end(prepared: tuple[str, Outcome]) -> None:
    name, outcome = prepared
    rows = outcome.rows("curated")
    assert all(dict(row["tags"])["category"] for row in rows)
    if name != "legal_clauses":  # whose rows have no time
        assert all(row["received_at"].endswith("+00:00") for row in rows)
    language = recipe_of(name).model.language
    assert sum(row["language"] == language for row in rows) > 0.9 * len(rows)
