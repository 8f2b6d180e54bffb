"""What becomes of files that change after they were read, come late, or are still being written."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.compute import ThisProcess
from sluice.data.ingest import ingest_file, ingest_files, unseen_files
from sluice.data.intake import stamps
from sluice.data.intake.settled import settled_files
from sluice.data.intake.stamps import Digests
from sluice.data.intake.withdrawal import restore, withdraw, withdrawals
from sluice.errors import BatchError
from tests.unit.data.rows import alpaca, write_lines
from tests.unit.data.taking_in import Stock, section

CSV_HEAD = "instruction,output\n"


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return Stock(tmp_path)


def append(path: Path, *lines: str) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write("".join(f"{line}\n" for line in lines))


# A file that grew


def test_of_a_file_that_grew_only_the_tail_is_taken_in(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"), "", alpaca("c?", "d"))
    base = stock.take_one()
    append(path, alpaca("e?", "f"), "{", alpaca("g?", "h"))
    tail = stock.take_one()
    assert (tail.what, tail.first_line, tail.rejects) == ("appended", 4, 1)
    assert stock.live() == [base.ref, tail.ref]
    assert stock.where() == [
        ("jan.jsonl", 1, "a?"),
        ("jan.jsonl", 3, "c?"),
        ("jan.jsonl", 4, "e?"),
        ("jan.jsonl", 6, "g?"),
    ]
    assert tail.told == ("jan.jsonl grew: 2 more rows, from line 4 on. 1 lines could not be read.")
    assert not stock.news()


def test_a_csv_file_grows_without_its_header_being_read_as_a_row(stock: Stock) -> None:
    stock.landing.mkdir()
    path = stock.landing / "jan.csv"
    path.write_text(CSV_HEAD + 'a?,b\n"两行\n问题",d\n', encoding="utf-8")
    stock.take_one()
    append(path, "e?,f")
    assert stock.take_one().what == "appended"
    assert stock.questions() == ["a?", "两行\n问题", "e?"]
    lines = [line for _, line, _ in stock.where()]
    assert lines == sorted(set(lines))


def test_a_row_that_went_on_makes_the_file_another(stock: Stock) -> None:
    stock.landing.mkdir()
    path = stock.landing / "jan.csv"
    path.write_text(CSV_HEAD + "a?,b\nc?,d", encoding="utf-8")
    stock.take_one()
    append(path, "ifferent", "e?,f")
    assert stock.take_one().what == "changed"
    assert [(row.question, row.answer) for row in stock.rows()] == [
        ("a?", "b"),
        ("c?", "different"),
        ("e?", "f"),
    ]


def test_a_quote_that_was_still_open_makes_the_file_another(stock: Stock) -> None:
    stock.data = section(max_reject_share=1.0)
    stock.landing.mkdir()
    path = stock.landing / "jan.csv"
    path.write_text(CSV_HEAD + 'a?,b\nc?,"d\n', encoding="utf-8")
    stock.take_one()
    append(path, 'and more"', "e?,f")
    assert stock.take_one().what == "changed"
    assert [row.answer for row in stock.rows()] == ["b", "d\nand more", "f"]


def test_a_last_line_without_its_end_is_gone_on_after(stock: Stock) -> None:
    stock.landing.mkdir()
    path = stock.landing / "jan.jsonl"
    path.write_text(alpaca("a?", "b"), encoding="utf-8")
    stock.take_one()
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + alpaca("c?", "d"))
    assert stock.take_one().what == "appended"
    assert stock.where() == [("jan.jsonl", 1, "a?"), ("jan.jsonl", 2, "c?")]


def test_blank_lines_at_the_end_make_no_batch(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    base = stock.take_one()
    append(path, "", " ")
    assert stock.take_one().ref is None
    assert stock.live() == [base.ref]
    append(path, alpaca("c?", "d"))
    assert stock.take_one().first_line == 4


def test_a_refused_tail_leaves_what_was_read(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    base = stock.take_one()
    append(path, "{", "{")
    (refused,) = stock.take_in().refused
    assert "2 of 2 lines" in str(refused.error)
    assert stock.live() == [base.ref]
    append(path, *[alpaca(f"q{i}?", "b") for i in range(8)])
    assert stock.take_one().what == "appended"


def test_the_tail_of_a_large_file_is_found_without_reading_the_rest(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("sluice.data.reading.sharding"), "SHARD_BYTES", 1000)
    path = write_lines(
        stock.landing / "jan.jsonl", *[alpaca(f"q{i}?", "b" * 50) for i in range(100)]
    )
    stock.take_one()
    append(path, alpaca("new?", "b"))
    read: list[int] = []
    intake = stock.take_in(done=lambda _, of: read.append(of))
    assert [taken.first_line for taken in intake.taken] == [101]
    assert read[-1] <= 2
    assert len(stock.rows()) == 101


GROWTH = st.lists(
    st.lists(
        st.one_of(
            st.builds(alpaca, st.text(min_size=1, max_size=6), st.text(max_size=6)),
            st.sampled_from(["", "{", '{"instruction": 1, "output": "b"}']),
        ),
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(growth=GROWTH)
def test_a_file_read_as_it_grows_gives_the_rows_of_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, growth: list[list[str]]
) -> None:
    root = tmp_path_factory.mktemp("growing")
    steps, whole = (Stock(root / name, section(max_reject_share=1.0)) for name in ("a", "b"))
    path = write_lines(steps.landing / "jan.jsonl", alpaca("first?", "b"))
    steps.take_in()
    for lines in growth:
        append(path, *lines)
        steps.take_in()
    append(path, alpaca("last?", "b"))  # a tail of rejects alone is refused, and waits for this
    steps.take_in()
    write_lines(whole.landing / "jan.jsonl").write_bytes(path.read_bytes())
    whole.take_in()
    assert steps.rows() == whole.rows()


# A file that changed


def test_a_version_that_changed_earlier_content_replaces_the_old_one(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"), alpaca("c?", "d"))
    old = stock.take_one()
    append(path, alpaca("e?", "f"))
    tail = stock.take_one()
    write_lines(path, alpaca("a?", "another"))
    new = stock.take_one()
    assert (new.what, new.replaced) == ("changed", (old.ref, tail.ref))
    assert new.told == (
        "jan.jsonl changed in what was read before: its 3 rows of then count no more, "
        "the 1 of now do."
    )
    assert stock.live() == [new.ref]


def test_a_version_that_is_refused_replaces_nothing(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    old = stock.take_one()
    write_lines(path, "{")
    assert len(stock.take_in().refused) == 1
    assert stock.live() == [old.ref]


def test_a_file_that_goes_back_to_what_it_was_counts_as_it_did(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    old = stock.take_one()
    write_lines(path, alpaca("c?", "d"))
    stock.take_one()
    write_lines(path, alpaca("a?", "b"))
    assert stock.take_one().ref == old.ref
    assert stock.live() == [old.ref]


def test_the_same_size_and_an_old_time_hide_no_change(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    os.utime(path, (1, 1))
    stock.take_one()
    write_lines(path, alpaca("z?", "b"))
    os.utime(path, (1, 1))
    assert stock.take_one().what == "changed"


def test_a_compressed_file_that_grew_is_another_version(stock: Stock) -> None:
    import gzip

    stock.landing.mkdir()
    path = stock.landing / "jan.jsonl.gz"
    path.write_bytes(gzip.compress(f"{alpaca('a?', 'b')}\n".encode(), mtime=0))
    stock.take_one()
    with path.open("ab") as file:
        file.write(gzip.compress(f"{alpaca('c?', 'd')}\n".encode(), mtime=0))
    assert stock.take_one().what == "changed"
    assert stock.questions() == ["a?", "c?"]


def test_a_file_that_is_gone_still_counts(stock: Stock) -> None:
    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    stock.take_one()
    path.unlink()
    assert stock.taken() == []
    assert stock.questions() == ["a?"]


def test_a_late_file_is_taken_in_whatever_its_name_and_time(stock: Stock) -> None:
    write_lines(stock.landing / "2026-10.jsonl", alpaca("late?", "b"))
    stock.taken()
    late = write_lines(stock.landing / "2026-01.jsonl", alpaca("early?", "b"))
    os.utime(late, (1, 1))
    assert stock.taken() == [("2026-01.jsonl", "new")]
    assert stock.questions() == ["early?", "late?"]


def test_another_reading_of_the_same_bytes_replaces_the_first(stock: Stock) -> None:
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b", topic="returns"))
    old = stock.take_one()
    stock.data = section(tags=("topic",))
    assert stock.news()
    new = stock.take_one()
    assert (new.what, new.replaced) == ("read again", (old.ref,))
    assert [row.tags for row in stock.rows()] == [(("topic", "returns"),)]
    assert not stock.news()


# A file that is still being written


def test_a_file_that_keeps_still_is_waited_for_once(stock: Stock) -> None:
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    start = time.monotonic()
    intake = stock.take_in(settle_seconds=0.3)
    assert 0.2 < time.monotonic() - start < 3
    assert [taken.name for taken in intake.taken] == ["jan.jsonl"]


def test_an_old_file_is_not_waited_for(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "jan.jsonl", "x")
    os.utime(path, (1, 1))
    assert settled_files([path], 60, sleep=lambda _: pytest.fail("waited")) == [path]


def test_a_file_that_changes_while_it_is_waited_for_waits_for_the_next_run(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = write_lines(stock.landing / "a.jsonl", alpaca("a?", "b"))
    growing = write_lines(stock.landing / "b.jsonl", alpaca("c?", "d"))
    gone = write_lines(stock.landing / "c.jsonl", alpaca("e?", "f"))

    def meanwhile(_: float) -> None:
        append(growing, alpaca("more?", "d"))
        gone.unlink()

    paths = [still, growing, gone]
    assert settled_files(paths, 5, sleep=meanwhile) == [still]


def test_a_time_in_the_future_is_not_waited_for_forever(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "jan.jsonl", "x")
    os.utime(path, (4e9, 4e9))
    waited: list[float] = []
    assert settled_files([path], 5, sleep=waited.append) == [path]
    assert waited == [5]


def test_a_file_that_shrinks_while_it_is_read_is_refused_and_read_later(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluice.data.intake import parts_of_place

    path = write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"), alpaca("c?", "d"))
    real = parts_of_place.shards

    def shrinking(*given: object) -> object:
        write_lines(path, alpaca("a?", "b"))
        return real(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as watched:
        watched.setattr(parts_of_place, "shards", shrinking)
        (refused,) = stock.take_in().refused
    assert "changed while it was read" in str(refused.error)
    assert stock.taken() == [("jan.jsonl", "new")]
    assert len(stock.rows()) == 1


# What was read is remembered


def test_an_unchanged_file_is_not_read_to_tell_that_it_is_unchanged(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "TICK_SECONDS", 0.0)
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    stock.take_one()
    monkeypatch.setattr(stamps, "file_digest", lambda _: pytest.fail("read again"))
    assert not stock.news()
    assert unseen_files(stock.landing, stock.lake, stock.data) == []


def test_the_digest_of_a_file_that_changed_a_moment_ago_is_not_trusted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "jan.jsonl", "x")
    digests = Digests(tmp_path / "known.json")
    digests.of(path)
    digests.save()
    assert not (tmp_path / "known.json").exists()


def test_what_is_remembered_may_be_lost_or_broken(stock: Stock) -> None:
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    stock.take_one()
    known = stock.lake.root / "sources" / "digests" / "known.json"
    known.parent.mkdir(exist_ok=True)
    known.write_text("{")
    assert not stock.news()


# Which batches count


def ingested(stock: Stock, *names: str) -> None:
    for name in names:
        write_lines(stock.landing / name, alpaca(f"{name}?", "b"))
        stock.taken()


def test_a_window_of_batches_holds_the_last_that_came(stock: Stock) -> None:
    ingested(stock, "c.jsonl", "a.jsonl", "b.jsonl")
    stock.data = section(window={"batches": 2})
    assert stock.questions() == ["a.jsonl?", "b.jsonl?"]
    stock.data = section(window={"batches": 9})
    assert len(stock.live()) == 3


def test_what_was_appended_is_a_batch_of_the_window(stock: Stock) -> None:
    ingested(stock, "a.jsonl", "b.jsonl")
    append(stock.landing / "a.jsonl", alpaca("more?", "b"))
    stock.taken()
    stock.data = section(window={"batches": 2})
    assert stock.questions() == ["more?", "b.jsonl?"]


def test_a_window_of_days_holds_what_came_in_them(stock: Stock) -> None:
    ingested(stock, "a.jsonl")
    stock.data = section(window={"days": 2})
    now = datetime.now(UTC)
    assert len(stock.live(now + timedelta(days=1.9))) == 1
    assert stock.live(now + timedelta(days=2.1)) == []


def test_a_batch_that_is_read_in_another_way_keeps_its_age(stock: Stock) -> None:
    ingested(stock, "a.jsonl", "b.jsonl")
    stock.data = section(window={"batches": 1}, tags=("topic",))
    write_lines(stock.landing / "b.jsonl").unlink()
    assert stock.taken() == [("a.jsonl", "read again")]
    assert stock.questions() == ["b.jsonl?"]


def test_a_withdrawn_batch_counts_no_more_until_it_is_restored(stock: Stock) -> None:
    ingested(stock, "a.jsonl", "b.jsonl")
    first, second = stock.live()
    assert withdraw(stock.lake, first.digest[:10], "Ann", "wrong prices") == first.digest
    assert stock.live() == [second]
    assert not stock.news()
    restore(stock.lake, first.digest[:10], "Ben", "they were right")
    assert stock.live() == [first, second]
    (told,) = withdrawals(stock.lake)
    assert [(d.what, d.who, d.why) for d in told.decisions] == [
        ("withdrawn", "Ann", "wrong prices"),
        ("restored", "Ben", "they were right"),
    ]


def test_a_withdrawn_batch_is_outside_the_window(stock: Stock) -> None:
    ingested(stock, "a.jsonl", "b.jsonl")
    withdraw(stock.lake, stock.live()[1].digest, "Ann", "")
    stock.data = section(window={"batches": 1})
    assert stock.questions() == ["a.jsonl?"]


def test_withdrawing_needs_one_batch_and_changes_something(stock: Stock) -> None:
    ingested(stock, "a.jsonl", "b.jsonl")
    digest = stock.live()[0].digest
    for wrong in ("", "zz", "../..", "0" * 64):
        with pytest.raises(BatchError, match="No batch has a digest"):
            withdraw(stock.lake, wrong, "Ann", "")
    with pytest.raises(BatchError, match="is not withdrawn"):
        restore(stock.lake, digest, "Ann")
    withdraw(stock.lake, digest, "Ann", "")
    with pytest.raises(BatchError, match="is withdrawn already"):
        withdraw(stock.lake, digest, "Ann", "")


def test_a_digest_that_names_several_batches_names_none(stock: Stock) -> None:
    ingested(stock, *[f"{i}.jsonl" for i in range(17)])  # two of 17 begin with one digit
    digests = sorted(ref.digest for ref in stock.live())
    digit = next(a[0] for a, b in pairwise(digests) if a[0] == b[0])
    with pytest.raises(BatchError, match=r"\d+ batches have a digest that begins with"):
        withdraw(stock.lake, digit, "Ann", "")


def test_two_files_of_one_name_are_not_taken_for_versions_of_one(stock: Stock) -> None:
    paths = [write_lines(stock.root / d / "jan.jsonl", alpaca(f"{d}?", "b")) for d in ("x", "y")]
    with pytest.raises(BatchError, match=r"would both be known as jan\.jsonl"):
        ingest_files(paths, stock.lake, stock.data, ThisProcess())
    assert stock.live() == []


def test_a_file_named_by_hand_counts_like_one_that_landed(stock: Stock) -> None:
    path = write_lines(stock.root / "hand" / "jan.jsonl", alpaca("a?", "b"))
    ref = ingest_file(path, stock.lake, stock.data)
    write_lines(stock.landing / "jan.jsonl", alpaca("a?", "b"))
    assert stock.taken() == []
    assert stock.live() == [ref]
