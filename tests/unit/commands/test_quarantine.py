"""`sluice quarantine list|show|release`: rows are looked at, mended and sent back by a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands.console import console
from sluice.data.outcomes import Gone, gone_table
from sluice.data.parts import part_name, write_part
from sluice.home import Home
from sluice.home_recipe import settle_in
from sluice.refs import DatasetRef
from sluice.trail_record import note_trail
from tests.unit.data.rows import row

Sluice = Callable[..., tuple[int, str, str]]
SECRET = "It is AKIAIOSFODNN7EXAMPLE, as anna.berg@example.org says."
WAITING = [
    Gone(row(answer="From 9 to 5.", line=7), "quarantined", "conflicting_answers", "jan.jsonl:9"),
    Gone(row(answer="From 10 to 6.", line=9), "quarantined", "conflicting_answers", "jan.jsonl:7"),
    Gone(row("Which key?", SECRET, line=11), "quarantined", "private_secret", "1 found"),
    Gone(row("Why?", "No.", line=12), "dropped", "answer_too_short", "3 of 8"),
]
HOURS, OTHER_HOURS, KEY = (one.record.id for one in WAITING[:3])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home after a run that set three rows aside."""
    home = Home(tmp_path / "home")
    monkeypatch.setenv("SLUICE_HOME", str(home.root))
    monkeypatch.setattr(console, "width", 200)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: {name: shop, base: ./base}\ndata: {evaluation_share: 0.2}\n")
    settle_in(home, recipe)
    with home.lake.aside() as folder:
        write_part(folder / "gone" / part_name(0), gone_table(WAITING))
        ref = home.lake.commit(folder, "compared", "k", lambda uri, d: DatasetRef(uri, d, 0))
    note_trail(home.runs, "run-1", "compared", [ref])
    return home


def released(home: Home) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(home.released.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_the_list_tells_places_and_reasons_and_no_text(sluice: Sluice, home: Home) -> None:
    code, out, _ = sluice("quarantine", "list")
    assert code == 0
    assert "3 rows wait for a person: conflicting_answers 2, private_secret 1" in out
    assert "jan.jsonl:11" in out
    assert "From 9" not in out
    assert "AKIA" not in out
    _, out, _ = sluice("quarantine", "list", "--reason", "private_secret", "--json")
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "id": KEY,
            "source": "jan.jsonl",
            "line": 11,
            "reason": "private_secret",
            "detail": "1 found",
        }
    ]
    _, out, _ = sluice("quarantine", "list", "--reason", "other")
    assert "No row is quarantined in the newest run." in out


def test_private_data_is_masked_unless_it_is_asked_for(sluice: Sluice, home: Home) -> None:
    _, out, _ = sluice("quarantine", "show", KEY[:6])
    assert "Which key?" in out
    assert "[EMAIL]" in out
    assert "AKIA" not in out
    assert "anna" not in out
    _, out, _ = sluice("quarantine", "show", KEY, "--reveal")
    assert SECRET in out
    _, out, _ = sluice("quarantine", "show", KEY, HOURS, "--json")
    first, second = (json.loads(line) for line in out.splitlines())
    assert "AKIA" not in first["messages"][1]["content"]
    assert second["messages"][1] == {"role": "assistant", "content": "From 9 to 5."}


def test_released_rows_say_who_sent_them_back_and_why(sluice: Sluice, home: Home) -> None:
    code, out, _ = sluice(
        "quarantine", "release", HOURS[:8], "--by", "ann", "--why", "asked the shop"
    )
    assert code == 0
    assert "1 rows come in again with the next run" in out
    (sent_back,) = released(home)
    assert sent_back["released"] == "conflicting_answers"
    assert (sent_back["released_by"], sent_back["released_because"]) == ("ann", "asked the shop")
    assert sent_back["released_from"] == "jan.jsonl:7"


def test_mended_rows_take_the_words_that_were_written(
    sluice: Sluice, home: Home, tmp_path: Path
) -> None:
    _, out, _ = sluice("quarantine", "show", KEY, OTHER_HOURS, "--json", "--reveal")
    mended = tmp_path / "mended.jsonl"
    mended.write_text(out.replace("AKIAIOSFODNN7EXAMPLE", "under the mat"), encoding="utf-8")
    who = ("--by", "ann", "--why", "without the key")
    code, _, _ = sluice("quarantine", "release", "--fixed", mended, *who)
    assert code == 0
    key, hours = released(home)
    assert key["messages"][1]["content"].startswith("It is under the mat")
    assert hours["messages"][1]["content"] == "From 10 to 6."
    assert (key["released"], key["released_id"]) == ("private_secret", KEY)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "zz"), 1, "0 quarantined rows have an id that begins with 'zz'"),
        (("release", "zz", "--by", "a", "--why", "b"), 1, "0 quarantined rows"),
        (("release", "--by", "a", "--why", "b"), 1, "Name the rows to release"),
        (("release", "aa", "--by", "a"), 2, "--why"),
        (("release", "--fixed", "none.jsonl", "--by", "a", "--why", "b"), 1, "cannot be read as"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_released(
    sluice: Sluice, home: Home, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended, out, err = sluice("quarantine", *arguments)
    assert (ended, out) == (code, "")
    assert words in err
    assert released(home) == []


def test_a_home_in_which_nothing_has_run_has_no_rows_that_wait(
    sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "empty"))
    code, out, _ = sluice("quarantine", "list")
    assert code == 0
    assert "No row is quarantined" in out
