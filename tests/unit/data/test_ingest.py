"""Ingest: the same bytes become one batch, once; a refused file leaves its reasons."""

from __future__ import annotations

import gzip
import json
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data import parts
from sluice.data.compute import ThisProcess
from sluice.data.ingest import ingest_file, ingest_places, is_ingested, unseen_files
from sluice.data.intake import parts_of_place
from sluice.data.parts import part_files, read_records
from sluice.data.reading import find_places
from sluice.data.reading import shards as reading_shards
from sluice.errors import BatchError
from sluice.lake import Lake
from tests.unit.data.rows import alpaca, write_lines
from tests.unit.data.taking_in import Stock, rejects_of, section


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return Stock(tmp_path)


@pytest.fixture
def lake(stock: Stock) -> Lake:
    return stock.lake


def test_a_file_becomes_a_verified_batch_with_its_rejects(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", *[alpaca(f"问题{i}", "回答") for i in range(9)], "{")
    ref = ingest_file(path, lake, section())
    lake.verify(ref)
    assert (ref.rows, ref.uri) == (9, f"raw/{ref.digest}")
    assert [r.question for r in read_records(lake.path(ref) / "records")][8] == "问题8"
    (reject,) = rejects_of(lake.path(ref))
    assert (reject.source, reject.line, reject.reason) == ("jan.jsonl", 10, "not_json")
    facts = lake.manifest(ref)
    assert (facts["lines"], facts["rows"], facts["rejects"]) == (10, 9, {"not_json": 1})
    assert (facts["source"], facts["uri"], facts["form"]) == ("jan.jsonl", str(path), "alpaca")
    assert "instruction, output" in facts["form_told"]
    assert facts["ingested_at"].endswith("+00:00")


def test_the_same_bytes_give_the_same_digest_in_another_lake(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"))
    other = Lake(tmp_path / "other")
    (tmp_path / "elsewhere").mkdir()
    copy = path.rename(tmp_path / "elsewhere" / path.name)
    assert ingest_file(copy, lake, section()) == ingest_file(copy, other, section())


def test_rows_that_carry_another_name_are_another_batch(tmp_path: Path, lake: Lake) -> None:
    jan = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"))
    feb = write_lines(tmp_path / "feb.jsonl", alpaca("a?", "b"))
    other = Lake(tmp_path / "other")
    assert ingest_file(jan, lake, section()).digest != ingest_file(feb, other, section()).digest


@pytest.mark.parametrize("folder", ["held-out", "released"])
def test_a_folder_whose_name_tells_another_kind_of_row_is_refused(
    tmp_path: Path, lake: Lake, folder: str
) -> None:
    write_lines(tmp_path / "in" / folder / "jan.jsonl", alpaca("a?", "b"))
    with pytest.raises(BatchError, match=f"would be known as {folder}/jan.jsonl.*Rename the fol"):
        ingest_places(find_places("in", None, tmp_path), lake, section(), ThisProcess())
    places = find_places(f"in/{folder}", None, tmp_path)
    assert ingest_places(places, lake, section(), ThisProcess()).taken


class Elsewhere:
    """An engine that sends functions and items as to another machine, the last item first."""

    def map(self, function: Any, items: Any, done: Any = None) -> list[Any]:
        sent = [pickle.dumps((function, item)) for item in items]
        calls = [pickle.loads(call) for call in reversed(sent)]
        return [call(item) for call, item in calls][::-1]


def test_processes_and_shards_leave_no_trace_in_the_bytes(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "jan.jsonl", *[alpaca(f"q{i}?", "b" * 40) for i in range(200)])
    one = ingest_file(path, lake, section(), ThisProcess())
    assert len(part_files(lake.path(one) / "records")) == 1
    monkeypatch.setattr(import_module("sluice.data.reading.sharding"), "SHARD_BYTES", 2000)
    cut = ingest_file(path, Lake(tmp_path / "cut"), section(), ThisProcess())
    two = ingest_file(path, Lake(tmp_path / "two"), section(), Elsewhere())
    assert cut == two
    folder = Lake(tmp_path / "two").path(two) / "records"
    assert len(part_files(folder)) > 5
    assert read_records(folder) == read_records(lake.path(one) / "records")


def test_no_part_holds_more_rows_than_a_step_takes_at_a_time(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_of_place, "PART_ROWS", 10)
    lines = [alpaca(f"q{i}?", "b") if i % 3 else "{" for i in range(70)]
    ref = ingest_file(write_lines(tmp_path / "jan.jsonl", *lines), lake, section())
    folder = lake.path(ref)
    assert [parts.read_part(p).num_rows for p in part_files(folder / "records")] == [
        *[10] * 4,
        6,
    ]
    assert [row.line for row in read_records(folder / "records")] == [
        i + 1 for i in range(70) if i % 3
    ]
    assert [r.line for r in rejects_of(folder)] == [i + 1 for i in range(70) if not i % 3]


LINES = st.lists(
    st.one_of(
        st.builds(alpaca, st.text(max_size=8), st.text(max_size=8)),
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=12),
        st.sampled_from(["", "  ", "{}", "[]", '{"instruction": 1, "output": "b"}']),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(lines=LINES)
def test_every_line_that_is_not_blank_is_a_row_or_a_reject_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    root = tmp_path_factory.mktemp("lines")
    stock = Stock(root, section(max_reject_share=1.0))
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"), *lines)
    content = path.read_bytes().split(b"\n")
    told = {number for number, line in enumerate(content, 1) if line.strip()}
    (taken,) = stock.take_in().taken
    assert taken.ref is not None
    folder = stock.lake.path(taken.ref)
    rows = [row.line for row in read_records(folder / "records")]
    rejects = [reject.line for reject in rejects_of(folder)]
    assert sorted(rows + rejects) == sorted(told)


def test_a_batch_with_too_many_rejects_is_refused_and_its_rejects_stay_readable(
    stock: Stock, lake: Lake
) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"), "{", "[]", "3", "4")
    with pytest.raises(BatchError) as caught:
        ingest_file(path, lake, section(max_reject_share=0.2))
    message = str(caught.value)
    assert "4 of 5 lines" in message
    assert "3 not_an_object, 1 not_json" in message
    assert "jan.jsonl:2 not_json" in message
    assert "jan.jsonl:5" not in message
    (folder,) = (lake.root / "rejected").iterdir()
    assert str(folder) in message
    assert [reject.line for reject in rejects_of(folder)] == [2, 3, 4, 5]
    assert stock.live() == []
    assert unseen_files(stock.landing, lake, section()) == [path]


def test_what_was_refused_is_refused_again_without_being_read(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"), "{")
    strict = section(max_reject_share=0.1)
    with pytest.raises(BatchError) as first:
        ingest_file(path, lake, strict)

    def unread(*_: object) -> Any:
        raise AssertionError("it was read again")

    with monkeypatch.context() as watched:
        watched.setattr(parts_of_place, "shards", unread)
        with pytest.raises(BatchError) as second:
            ingest_file(path, lake, strict)
    assert str(second.value) == str(first.value)
    assert ingest_file(path, lake, section(max_reject_share=0.5)).rows == 1


def test_a_known_batch_is_refused_under_a_stricter_limit(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"), "{")
    ingest_file(path, lake, section(max_reject_share=0.5))
    with pytest.raises(BatchError, match="1 of 2 lines"):
        ingest_file(path, lake, section(max_reject_share=0.1))


def test_a_batch_of_rejects_alone_is_refused_whatever_the_limit(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(BatchError, match="1 of 1 lines"):
        ingest_file(write_lines(tmp_path / "jan.jsonl", "{"), lake, section(max_reject_share=1.0))


def test_a_file_without_rows_is_refused(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(BatchError, match="holds no rows"):
        ingest_file(write_lines(tmp_path / "jan.jsonl", "", " "), lake, section())


def test_rows_of_an_unknown_form_are_refused_with_what_to_write(tmp_path: Path, lake: Lake) -> None:
    path = write_lines(tmp_path / "jan.jsonl", '{"条款": "a", "解读": "b"}')
    with pytest.raises(BatchError, match="条款, 解读"):
        ingest_file(path, lake, section())
    mapped = section(mapping={"instruction": "{条款}", "output": "{解读}"})
    ref = ingest_file(path, lake, mapped)
    assert lake.manifest(ref)["form_told"] == "mapping, as the recipe says"


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "jan.jsonl", alpaca("a?", "b"))

    def growing(*given: Any) -> Any:
        with path.open("a") as file:
            file.write(alpaca("c?", "d") + "\n")
        return reading_shards(*given)

    with monkeypatch.context() as watched:
        watched.setattr(parts_of_place, "shards", growing)
        with pytest.raises(BatchError, match=r"changed while it was read\. Wait until it is whole"):
            ingest_file(path, lake, section())
    assert ingest_file(path, lake, section()).rows == 2


def test_only_new_finished_files_are_unseen(stock: Stock, lake: Lake) -> None:
    jan = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    feb = write_lines(stock.landing / "feb.jsonl", alpaca("c?", "d"))
    for name in (".mar.jsonl", "mar.jsonl.part", "mar.part.jsonl", "mar.jsonl.tmp", "notes.txt"):
        write_lines(stock.landing / name, alpaca("e?", "f"))
    write_lines(stock.landing / "done" / "old.jsonl", alpaca("old?", "f"))
    data = section()
    assert unseen_files(stock.landing, lake, data) == [feb, jan]
    ingest_file(jan, lake, data)
    assert is_ingested(jan, lake, data)
    assert not is_ingested(feb, lake, data)
    write_lines(stock.landing / "copy-of-jan.jsonl", alpaca("a?", "b"))
    assert unseen_files(stock.landing, lake, data) == [feb]
    write_lines(jan, alpaca("a?", "b"), alpaca("new?", "yes"))
    assert unseen_files(stock.landing, lake, data) == [feb, jan]
    ingest_file(jan, lake, data)
    assert unseen_files(stock.landing, lake, data) == [feb]


def test_a_copy_is_no_batch_of_its_own(stock: Stock, lake: Lake) -> None:
    jan = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    copy = write_lines(stock.landing / "other.jsonl", alpaca("a?", "b"))
    assert stock.taken() == [("jan.jsonl", "new")]
    assert ingest_file(copy, lake, stock.data) == ingest_file(jan, lake, stock.data)
    assert len(stock.live()) == 1


def test_a_landing_folder_that_does_not_exist_holds_nothing(stock: Stock) -> None:
    assert unseen_files(stock.root / "nowhere", stock.lake, section()) == []
    assert stock.taken() == []


def test_all_readable_formats_may_land(stock: Stock) -> None:
    rows = [{"instruction": "能退货吗？", "output": "能，七天内。"}]
    landing = stock.landing
    landing.mkdir()
    (landing / "a.csv").write_text("instruction,output\n能退货吗？,能。\n", encoding="utf-8")
    (landing / "b.json").write_text(json.dumps({"data": rows}), encoding="utf-8")
    (landing / "c.jsonl.gz").write_bytes(gzip.compress(json.dumps(rows[0]).encode()))
    pq.write_table(pa.Table.from_pylist(rows), landing / "d.parquet")
    (landing / "e.tsv").write_text("prompt\tcompletion\n能退货吗？\t能。\n", encoding="utf-8")
    assert [name for name, _ in stock.taken()] == sorted(p.name for p in landing.iterdir())
    assert set(stock.questions()) == {"能退货吗？"}
    assert not stock.news()


def test_a_refused_file_does_not_stop_the_others(stock: Stock) -> None:
    write_lines(stock.landing / "a.jsonl", "{")
    write_lines(stock.landing / "b.jsonl", alpaca("b?", "b"))
    write_lines(stock.landing / "c.jsonl", '{"x": 1}')
    intake = stock.take_in()
    assert [taken.name for taken in intake.taken] == ["b.jsonl"]
    assert [refused.source for refused in intake.refused] == ["landing", "landing"]
    assert len(stock.live()) == 1


def test_a_file_that_nobody_may_read_is_told(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(BatchError, match="does not exist"):
        ingest_file(tmp_path / "none.jsonl", lake, section())
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(BatchError, match="is a folder"):
        ingest_file(tmp_path / "folder.jsonl", lake, section())


def test_batches_come_in_order_of_their_source_names(stock: Stock) -> None:
    for name in ("2026-10.jsonl", "2026-09.jsonl", "2026-11.jsonl"):  # as they happen to arrive
        write_lines(stock.landing / name, alpaca(f"{name}?", "b"))
        stock.taken()
    assert [source for source, _, _ in stock.where()] == [
        "2026-09.jsonl",
        "2026-10.jsonl",
        "2026-11.jsonl",
    ]


def test_a_run_that_dies_before_the_watermark_is_written_loses_nothing(stock: Stock) -> None:
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    before = stock.take_one()
    (stock.lake.root / "sources" / "landing.json").unlink()
    assert stock.live() == []
    again = stock.take_one()
    assert again.ref == before.ref
    assert len(stock.live()) == 1


def test_a_batch_that_was_deleted_from_the_lake_is_taken_in_again(stock: Stock) -> None:
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    (stock.landing / "jan.jsonl").touch()
    taken = stock.take_one()
    assert taken.ref is not None
    (stock.lake.path(taken.ref) / "manifest.json").unlink()
    assert stock.live() == []
    assert stock.take_one().ref == taken.ref
    assert stock.live() == [taken.ref]
