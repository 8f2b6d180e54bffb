"""Sources besides the landing folder: addresses, databases, data sets, the gateway's own log."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from pydantic import ValidationError

from sluice.data.intake import offers, run
from sluice.data.intake.watermark import read_watermark
from sluice.data.record import Message
from sluice.serving.request_log import Answered, RequestLog, new_answer_id
from tests.unit.data.rows import alpaca, write_lines
from tests.unit.data.taking_in import Stock, section

DAY_1, DAY_2 = (datetime(2026, 10, day, 12, tzinfo=UTC) for day in (1, 2))


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return Stock(tmp_path)


def use(stock: Stock, **source: Any) -> None:
    stock.data = section(sources=[{"name": "shop", **source}])


# Files elsewhere


def test_rows_of_a_folder_carry_the_sources_name_and_the_path_below_it(stock: Stock) -> None:
    write_lines(stock.root / "files" / "2026" / "jan.jsonl", alpaca("a?", "b"))
    write_lines(stock.root / "files" / "feb.jsonl", alpaca("c?", "d"))
    use(stock, uri=str(stock.root / "files"))
    assert stock.news()
    assert stock.taken() == [("shop/2026/jan.jsonl", "new"), ("shop/feb.jsonl", "new")]
    assert stock.where() == [("shop/2026/jan.jsonl", 1, "a?"), ("shop/feb.jsonl", 1, "c?")]
    assert not stock.news()


def test_a_source_that_the_recipe_drops_counts_no_more(stock: Stock) -> None:
    write_lines(stock.root / "files" / "jan.jsonl", alpaca("a?", "b"))
    write_lines(stock.landing / "own.jsonl", alpaca("c?", "d"))
    use(stock, uri=str(stock.root / "files"))
    stock.taken()
    assert stock.questions() == ["c?", "a?"]
    stock.data = section()
    assert stock.questions() == ["c?"]


def test_a_source_has_a_form_of_its_own(stock: Stock) -> None:
    write_lines(stock.landing / "own.jsonl", alpaca("a?", "b"))
    write_lines(stock.root / "logs.jsonl", '{"读数": "90 度", "诊断": "过热"}')
    mapping = {"instruction": "读数：{读数}", "output": "{诊断}"}
    use(stock, uri=str(stock.root / "logs.jsonl"), mapping=mapping)
    stock.taken()
    assert stock.questions() == ["a?", "读数：90 度"]


def test_a_source_that_cannot_be_reached_does_not_stop_the_others(stock: Stock) -> None:
    write_lines(stock.landing / "own.jsonl", alpaca("a?", "b"))
    use(stock, uri=str(stock.root / "nowhere" / "*.jsonl"))
    intake = stock.take_in()
    assert [taken.name for taken in intake.taken] == ["own.jsonl"]
    assert [refused.source for refused in intake.refused] == ["shop"]


@pytest.mark.parametrize("name", ["landing", "held-out", "Landing"])
def test_a_source_may_not_take_a_name_that_is_taken(name: str) -> None:
    with pytest.raises(ValidationError, match="a name of its own"):
        section(sources=[{"name": name, "uri": "x.jsonl"}])
    with pytest.raises(ValidationError, match="a name of its own"):
        section(sources=[{"name": "shop", "uri": "x.jsonl"}] * 2)


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_an_object_that_did_not_change_is_not_fetched_again(
    stock: Stock, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/bucket/jan.jsonl", f"{alpaca('a?', 'b')}\n".encode())
    use(stock, uri="memory://bucket/*.jsonl")
    assert stock.news()
    assert stock.taken() == [("shop/jan.jsonl", "new")]
    with monkeypatch.context() as watched:
        watched.setattr(offers, "_fetched", lambda *_: pytest.fail("fetched again"))
        assert not stock.news()
        assert stock.taken() == []
    memory.pipe("/bucket/jan.jsonl", f"{alpaca('a?', 'b')}\n{alpaca('c?', 'd')}\n".encode())
    assert stock.news()
    assert stock.taken() == [("shop/jan.jsonl", "appended")]
    memory.pipe("/bucket/jan.jsonl", f"{alpaca('z?', 'b')}\n".encode())
    assert stock.taken() == [("shop/jan.jsonl", "changed")]
    assert stock.questions() == ["z?"]


def test_an_object_that_changes_while_it_is_fetched_waits(
    stock: Stock, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/bucket/jan.jsonl", f"{alpaca('a?', 'b')}\n".encode())
    use(stock, uri="memory://bucket/jan.jsonl")
    real = offers._fetched

    def changing(*given: Any) -> Any:
        found = real(*given)
        memory.pipe("/bucket/jan.jsonl", f"{alpaca('longer?', 'b')}\n".encode())
        return found

    with monkeypatch.context() as watched:
        watched.setattr(offers, "_fetched", changing)
        (refused,) = stock.take_in().refused
    assert "changed while it was read" in str(refused.error)
    assert stock.taken() == [("shop", "new")]
    assert stock.questions() == ["longer?"]


def test_what_was_fetched_does_not_stay(stock: Stock, memory: Any) -> None:
    memory.pipe("/bucket/jan.jsonl", f"{alpaca('a?', 'b')}\n".encode())
    use(stock, uri="memory://bucket/jan.jsonl")
    stock.taken()
    assert list((stock.lake.root / "work").iterdir()) == []


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A bucket on an S3 server of its own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("shop")
        yield store
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_an_object_of_the_same_size_is_told_apart_by_its_etag(
    stock: Stock, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe("shop/jan.jsonl", f"{alpaca('a?', 'b')}\n".encode())
    use(stock, uri="s3://shop")
    assert stock.taken() == [("shop/jan.jsonl", "new")]
    with monkeypatch.context() as watched:
        watched.setattr(offers, "_fetched", lambda *_: pytest.fail("fetched again"))
        assert not stock.news()
        assert stock.taken() == []
    bucket.pipe("shop/jan.jsonl", f"{alpaca('z?', 'b')}\n".encode())
    assert stock.news()
    assert stock.taken() == [("shop/jan.jsonl", "changed")]
    assert stock.questions() == ["z?"]


# A database


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    connection.execute("create table said (id integer, question text, answer text)")
    yield connection
    connection.close()


def say(shop: sqlite3.Connection, *rows: tuple[int, str, str]) -> None:
    shop.executemany("insert into said values (?, ?, ?)", rows)


def ask(stock: Stock, query: str, **more: Any) -> None:
    select = f"select question as prompt, answer as completion, id from said {query}"
    use(stock, query=select, database=f"sqlite:///{stock.root / 'shop.db'}", **more)


def test_a_query_is_a_batch_once(stock: Stock, shop: sqlite3.Connection) -> None:
    say(shop, (1, "能退货吗？", "能。"), (2, "b?", "b"))
    ask(stock, "order by id")
    assert stock.taken() == [("shop", "new")]
    assert stock.taken() == []
    assert stock.where() == [("shop", 1, "能退货吗？"), ("shop", 2, "b?")]


def test_rows_that_a_query_gives_after_the_old_ones_are_a_tail(
    stock: Stock, shop: sqlite3.Connection
) -> None:
    say(shop, (1, "a?", "a"))
    ask(stock, "order by id")
    stock.taken()
    say(shop, (2, "b?", "b"))
    assert stock.taken() == [("shop", "appended")]
    assert stock.where() == [("shop", 1, "a?"), ("shop", 2, "b?")]
    shop.execute("update said set answer = 'other' where id = 1")
    assert stock.taken() == [("shop", "changed")]
    assert [row.answer for row in stock.rows()] == ["other", "b"]


def test_with_a_watermark_only_new_rows_are_asked_for(
    stock: Stock, shop: sqlite3.Connection
) -> None:
    say(shop, (1, "a?", "a"), (7, "b?", "b"))
    ask(stock, "where id > :watermark order by id", watermark="id")
    assert stock.taken() == [("shop", "new")]
    assert read_watermark(stock.lake, "shop")["shop"].mark == 7
    assert stock.taken() == []
    shop.execute("delete from said where id = 1")
    say(shop, (8, "c?", "c"))
    assert stock.taken() == [("shop", "appended")]
    assert stock.where() == [("shop", 1, "a?"), ("shop", 2, "b?"), ("shop", 3, "c?")]
    assert read_watermark(stock.lake, "shop")["shop"].mark == 8


def test_the_same_rows_after_a_crash_are_not_taken_in_twice(
    stock: Stock, shop: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(shop, (1, "a?", "a"))
    ask(stock, "where id > :watermark order by id", watermark="id")
    stock.taken()
    say(shop, (2, "b?", "b"))
    with monkeypatch.context() as watched:
        watched.setattr(run, "write_watermark", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            stock.take_in()
    assert stock.taken() == [("shop", "appended")]
    assert stock.where() == [("shop", 1, "a?"), ("shop", 2, "b?")]


def test_a_watermark_may_be_a_text(stock: Stock, shop: sqlite3.Connection) -> None:
    shop.execute("create table dated (at text, prompt text, completion text)")
    shop.execute("insert into dated values ('2026-10-02', 'a?', 'a'), ('2026-10-01', 'b?', 'b')")
    use(
        stock,
        query="select * from dated where at > :watermark",
        database=f"sqlite:///{stock.root / 'shop.db'}",
        watermark="at",
        watermark_start="2026-01-01",
    )
    stock.taken()
    assert read_watermark(stock.lake, "shop")["shop"].mark == "2026-10-02"
    assert stock.taken() == []


def test_another_query_is_read_from_the_start(stock: Stock, shop: sqlite3.Connection) -> None:
    say(shop, (1, "a?", "a"), (2, "b?", "b"))
    ask(stock, "where id > :watermark order by id", watermark="id")
    stock.taken()
    ask(stock, "where id > :watermark order by id desc", watermark="id")
    assert stock.taken() == [("shop", "read again")]
    assert stock.questions() == ["b?", "a?"]


def test_a_watermark_that_is_not_in_the_result_is_told(
    stock: Stock, shop: sqlite3.Connection
) -> None:
    say(shop, (1, "a?", "a"))
    ask(stock, "where id > :watermark", watermark="number")
    (refused,) = stock.take_in().refused
    assert "`number`" in str(refused.error)
    assert "no such column" in str(refused.error)


def test_a_result_that_became_empty_replaces_nothing(
    stock: Stock, shop: sqlite3.Connection
) -> None:
    say(shop, (1, "a?", "a"))
    ask(stock, "order by id")
    stock.taken()
    shop.execute("delete from said")
    assert len(stock.take_in().refused) == 1
    assert stock.questions() == ["a?"]


def test_values_that_are_no_text_are_rejects_on_their_own_line(
    stock: Stock, shop: sqlite3.Connection
) -> None:
    say(shop, (1, "a?", "a"), (3, "c?", "c"))
    shop.execute("insert into said values (2, cast(x'ff' as text), 'b')")
    ask(stock, "order by id")
    taken = stock.take_one()
    assert (taken.rejects, taken.ref and taken.ref.rows) == (1, 2)
    assert stock.where() == [("shop", 1, "a?"), ("shop", 3, "c?")]


@pytest.mark.parametrize(
    "source",
    [
        {"query": "select 1", "database": "sqlite://", "watermark": "id"},
        {"query": "select :watermark", "database": "sqlite://"},
    ],
)
def test_a_watermark_and_its_place_in_the_query_belong_together(source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="watermark"):
        section(sources=[{"name": "shop", **source}])


# A data set


def test_a_data_set_is_loaded_again_only_if_its_files_changed(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

    rows: Any = datasets.Dataset.from_list([{"prompt": "a?", "completion": "b"}])
    rows.save_to_disk(stock.root / "set")
    use(stock, dataset=str(stock.root / "set"))
    assert stock.taken() == [("shop/train", "new")]
    assert stock.where() == [("shop/train", 1, "a?")]
    with monkeypatch.context() as watched:
        watched.setattr(run, "offered_dataset", lambda *_: pytest.fail("loaded again"))
        assert not stock.news()
        assert stock.taken() == []
    more: Any = datasets.Dataset.from_list([{"prompt": q, "completion": "b"} for q in ("a?", "c?")])
    more.save_to_disk(stock.root / "set2")
    use(stock, dataset=str(stock.root / "set2"))
    assert stock.taken() == [("shop/train", "appended")]


# The gateway's own log


def answer(stock: Stock, day: datetime, question: str) -> str:
    id = new_answer_id(day)
    said = [Message("system", "Be kind."), Message("user", question)]
    log(stock).note(Answered(id, "shop@2", "2", said, f"answer to {question}", "stop"))
    return id


def log(stock: Stock) -> RequestLog:
    return RequestLog(stock.shelves.requests.parent)


def test_only_rated_answers_train_and_corrections_take_their_place(stock: Stock) -> None:
    use(stock, gateway=True)
    ids = {name: answer(stock, DAY_1, f"{name}?") for name in ("good", "bad", "none", "corrected")}
    log(stock).rate(ids["good"], "good", None)
    log(stock).rate(ids["bad"], "bad", None)
    log(stock).rate(ids["corrected"], "bad", "应该这样回答。")
    taken = stock.take_one()
    assert dict(taken.ratings) == {"bad": 1, "corrected": 1, "good": 1, "unrated": 1}
    assert "1 unrated" in taken.told
    assert [(r.source, r.line, r.question, r.answer) for r in stock.rows()] == [
        ("shop/2026-10-01.jsonl", 1, "good?", "answer to good?"),
        ("shop/2026-10-01.jsonl", 4, "corrected?", "应该这样回答。"),
    ]
    assert [m.content for m in stock.rows()[0].messages][:1] == ["Be kind."]
    assert stock.rows()[0].received_at is not None
    assert not stock.news()
    assert stock.taken() == []


def test_a_log_without_ratings_is_no_batch(stock: Stock) -> None:
    use(stock, gateway=True)
    assert stock.taken() == []
    answer(stock, DAY_1, "a?")
    assert stock.taken() == []


def test_what_is_rated_later_the_same_day_is_a_tail(stock: Stock) -> None:
    use(stock, gateway=True)
    log(stock).rate(answer(stock, DAY_1, "a?"), "good", None)
    stock.taken()
    log(stock).rate(answer(stock, DAY_1, "b?"), "good", None)
    assert stock.news()
    assert stock.taken() == [("shop/2026-10-01.jsonl", "appended")]
    assert stock.questions() == ["a?", "b?"]


def test_the_last_rating_holds_and_may_come_days_later(stock: Stock) -> None:
    use(stock, gateway=True)
    first, second = (answer(stock, DAY_1, q) for q in ("a?", "b?"))
    log(stock).rate(first, "good", None)
    log(stock).rate(second, "good", None)
    log(stock).rate(answer(stock, DAY_2, "c?"), "good", None)
    stock.taken()
    log(stock).rate(first, "bad", None)
    assert stock.taken() == [("shop/2026-10-01.jsonl", "changed")]
    assert stock.questions() == ["b?", "c?"]
    log(stock).rate(second, "bad", None)
    assert stock.taken() == [("shop/2026-10-01.jsonl", "emptied")]
    assert stock.questions() == ["c?"]
    log(stock).rate(first, "good", None)
    assert stock.taken() == [("shop/2026-10-01.jsonl", "new")]
    assert stock.questions() == ["a?", "c?"]


def test_half_a_line_in_the_log_costs_no_other_row(stock: Stock) -> None:
    use(stock, gateway=True)
    log(stock).rate(answer(stock, DAY_1, "a?"), "good", None)
    file = stock.shelves.requests / "2026-10-01.jsonl"
    with file.open("a") as out:
        out.write('{"kind": "request", "id"')
    stock.taken()
    assert stock.questions() == ["a?"]
    log(stock).rate(answer(stock, DAY_1, "b?"), "good", None)
    assert dict(stock.take_one().ratings) == {"broken": 1, "good": 2}
    assert stock.questions() == ["a?", "b?"]
    assert [json.loads(line)["kind"] for line in file.read_text().splitlines()[:1]] == ["request"]
