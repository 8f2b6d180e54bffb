"""Ingest: the same bytes become one snapshot, once; a refused file leaves its reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.data.ingest import ingest_file, snapshots, unseen_files
from sluice.data.json_lines import read_json_lines
from sluice.data.record import read_records
from sluice.errors import BatchError
from sluice.lake import Lake
from tests.unit.data.rows import alpaca, write_lines


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_file_becomes_a_verified_snapshot_with_its_rejects(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", *[alpaca(f"问题{i}", "回答") for i in range(9)], "{")
    ref = ingest_file(path, lake, max_reject_share=0.2)
    lake.verify(ref)
    assert (ref.rows, ref.uri) == (9, f"raw/{ref.digest}")
    assert [r.question for r in read_records(lake.path(ref) / "records.parquet")][8] == "问题8"
    (reject,) = read_json_lines(lake.path(ref) / "rejects.jsonl")
    assert (reject["source"], reject["line"], reject["reason"]) == ("jan.jsonl", 10, "not_json")
    facts = lake.manifest(ref)
    assert (facts["lines"], facts["rows"], facts["rejects"]) == (10, 9, {"not_json": 1})


def test_the_same_bytes_give_the_same_digest_in_another_lake(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"))
    other = Lake(tmp_path / "other")
    assert ingest_file(path, lake, max_reject_share=0) == ingest_file(
        path, other, max_reject_share=0
    )


def test_a_batch_with_too_many_rejects_is_refused_and_its_rejects_stay_readable(
    tmp_path: Path, lake: Lake
) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"), "{", "[]", "3", "4")
    with pytest.raises(BatchError) as caught:
        ingest_file(path, lake, max_reject_share=0.2)
    message = str(caught.value)
    assert "4 of 5 lines" in message
    assert "jan.jsonl:2 not_json" in message
    assert "jan.jsonl:5" not in message
    (folder,) = (lake.root / "rejected").iterdir()
    assert str(folder) in message
    assert len(read_json_lines(folder / "rejects.jsonl")) == 4
    assert snapshots(lake) == []
    assert unseen_files(tmp_path, lake) == [path]


def test_a_known_snapshot_is_refused_under_a_stricter_limit(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"), "{")
    ingest_file(path, lake, max_reject_share=0.5)
    with pytest.raises(BatchError, match="1 of 2 lines"):
        ingest_file(path, lake, max_reject_share=0.1)


def test_a_batch_of_rejects_alone_is_refused_whatever_the_limit(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(BatchError, match="1 of 1 lines"):
        ingest_file(write_lines(tmp_path / "jan.jsonl", "{"), lake, max_reject_share=1.0)


def test_only_new_finished_files_are_unseen(tmp_path: Path, lake: Lake) -> None:
    landing = tmp_path / "landing"
    jan = write_lines(landing / "jan.jsonl", alpaca("a?", "b"))
    feb = write_lines(landing / "feb.jsonl", alpaca("c?", "d"))
    for name in (".mar.jsonl", "mar.jsonl.part", "mar.part.jsonl", "mar.jsonl.tmp", "notes.txt"):
        write_lines(landing / name, alpaca("e?", "f"))
    assert unseen_files(landing, lake) == [feb, jan]
    ingest_file(jan, lake, max_reject_share=0)
    write_lines(landing / "copy-of-jan.jsonl", alpaca("a?", "b"))
    assert unseen_files(landing, lake) == [feb]
    write_lines(jan, alpaca("a?", "b"), alpaca("new?", "yes"))
    assert unseen_files(landing, lake) == [feb, jan]


def test_a_landing_folder_that_does_not_exist_holds_nothing(tmp_path: Path, lake: Lake) -> None:
    assert unseen_files(tmp_path / "nowhere", lake) == []


def test_snapshots_come_in_order_of_their_source_names(tmp_path: Path, lake: Lake) -> None:
    refs = {
        name: ingest_file(write_lines(tmp_path / name, alpaca(name, "b")), lake, max_reject_share=0)
        for name in ("2026-10.jsonl", "2026-09.jsonl", "2026-11.jsonl")
    }
    assert snapshots(lake) == [refs[name] for name in sorted(refs)]
