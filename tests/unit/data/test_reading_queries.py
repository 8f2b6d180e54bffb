"""Databases and prepared data sets give the rows that files give, and tell no secrets."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import datasets
import pytest

from sluice.data.reading import read_dataset, read_query
from sluice.errors import BatchError
from tests.unit.data.reading_files import LIMITS, Found, sort_out


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A database with good rows, a bad one, and texts that look like parameters."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table faq (id integer, question text, answer text, score real)")
        rows = [(i, f"{i} 有帐篷吗？", "100 % :yes", i / 2) for i in range(2500)]
        connection.executemany("insert into faq values (?, ?, ?, ?)", rows)
        connection.execute("update faq set answer = cast(x'ff' as text) where id = 7")
    connection.close()
    return f"sqlite:///{path}"


def ask(database: str, query: str, bound: dict[str, Any] | None = None) -> Found:
    return sort_out(list(read_query(query, database, "shop", LIMITS, bound)))


def test_a_query_gives_rows_by_column_name(shop: str) -> None:
    found = ask(shop, "select * from faq order by id")
    assert found.values[1] == {
        "id": 1, "question": "1 有帐篷吗？", "answer": "100 % :yes", "score": 0.5
    }  # fmt: skip
    assert [row.line for row in found.rows] == [i for i in range(1, 2501) if i != 8]
    assert found.reasons == [(8, "bad_utf8")]


def test_a_query_is_sent_as_it_is_written_unless_values_are_bound(shop: str) -> None:
    assert len(ask(shop, "select id from faq where answer like '% % :y%'").rows) == 2499
    newer = ask(shop, "select id from faq where id > :after", {"after": 2497})
    assert newer.values == [{"id": 2498}, {"id": 2499}]


def test_environment_variables_are_filled_in(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", shop.removeprefix("sqlite:///"))
    assert ask("sqlite:///${SHOP_DB}", "select 1 as one").values == [{"one": 1}]
    with pytest.raises(BatchError, match="needs 1 environment variables that are not set: GONE"):
        ask("sqlite:///${GONE}", "select 1")


def test_two_columns_of_one_name_and_a_wrong_query_are_errors(shop: str) -> None:
    with pytest.raises(BatchError, match=r"1 column names more than once: id\. Name each with AS"):
        ask(shop, "select id, id from faq")
    with pytest.raises(BatchError, match="no such table: gone"):
        ask(shop, "select * from gone")


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://ann:${PASSWORD}@127.0.0.1:1/shop",
        "nosuchdialect://ann:${PASSWORD}@host/shop",
        "not a url ${PASSWORD}",
        "sqlite:////gone/${PASSWORD}/shop.db",
        "sqlite:///shop.db?password=${PASSWORD}&uri=true",
    ],
)
def test_no_message_holds_the_password(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "secret-4711")
    with pytest.raises(BatchError) as caught:
        ask(database, "select * from gone")
    assert "secret-4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_misspelled_database_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="does not exist"):
        ask(f"sqlite:///{tmp_path}/gone.db", "select 1")
    assert not list(tmp_path.iterdir())


# ---- data sets


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rows = [{"question": f"{i} 有帐篷吗？", "answer": "有。", "tags": ["a"]} for i in range(1200)]
    train = datasets.Dataset.from_list(rows)
    both = datasets.DatasetDict({"train": train.select(range(1, 1200)), "test": train.select([0])})
    both.save_to_disk(str(tmp_path / "faq"))
    train.save_to_disk(str(tmp_path / "one"))
    return tmp_path


def load(dataset: str, base: Path, split: str = "train") -> Found:
    return sort_out(list(read_dataset(dataset, split, None, "faq", LIMITS, base)))


def test_a_saved_data_set_gives_the_rows_of_its_split(saved: Path) -> None:
    found = load("faq", saved)
    assert found.values[0] == {"question": "1 有帐篷吗？", "answer": "有。", "tags": ["a"]}
    assert [row.line for row in found.rows] == list(range(1, 1200))
    assert len(load("faq", saved, "test").rows) == 1
    assert len(load("one", saved).rows) == 1200


def test_a_split_that_is_not_there_names_those_that_are(saved: Path) -> None:
    with pytest.raises(BatchError, match=r"has no split 'dev'. It has: test, train"):
        load("faq", saved, "dev")


def test_a_folder_that_is_no_data_set_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with pytest.raises(BatchError, match="name it under `uri` instead"):
        load("files", tmp_path)
    with pytest.raises(BatchError, match="does not exist"):
        load("./gone", tmp_path)


def test_without_a_network_the_error_says_how_to_bring_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BatchError, match="save_to_disk"):
        load("nobody/no-such-data", tmp_path)
