"""A rule of an installed package: five lines, found by its entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.errors import DataError
from sluice.recipe import CleaningSection
from tests.unit.data.rows import SETTINGS, row

SHOUTING = row(answer="YES, WE SELL TENTS!", line=2)
RULE = "def shouting(record):\n    return record.answer.isupper()\n"


def install(folder: Path, code: str, *names: str) -> None:
    """A package as pip leaves it: its module, and a dist-info folder with its entry points."""
    info = folder / "shop_rules-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-rules\nVersion: 1.2\n")
    lines = "".join(f"{name} = shop_rules:shouting\n" for name in names)
    (info / "entry_points.txt").write_text(f"[sluice.cleaning_rules]\n{lines}")
    (folder / "shop_rules.py").write_text(code)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("shop_rules", None)


def test_its_rows_are_dropped_by_the_name_of_the_entry_point(packages: Path) -> None:
    before = SETTINGS.identity()
    install(packages, RULE, "shouting")
    result = clean_records([row(), SHOUTING], SETTINGS)
    assert [r.line for r in result.kept] == [1]
    assert [(g.record.line, g.reason, g.detail) for g in result.gone] == [
        (2, "shouting", "shop-rules 1.2")
    ]
    assert result.counts["gone"] == {"shouting": 1}
    assert SETTINGS.identity() != before  # so a batch that was cleaned without it is cleaned again


def test_it_can_be_switched_off_like_any_other(packages: Path) -> None:
    install(packages, RULE, "shouting")
    settings = CleanSettings(CleaningSection(off=("shouting",)))
    assert clean_records([SHOUTING], settings).gone == ()


@pytest.mark.parametrize(
    ("code", "name", "says"),
    [
        (RULE, "answer_empty", "shop-rules 1.2 adds a cleaning rule answer_empty, but there is"),
        ("import no_such_module\n", "shouting", "cannot be imported from shop_rules:shouting"),
        ("def shouting(record):\n    return 1 / 0\n", "shouting", "jan.jsonl:2 with ZeroDivision"),
    ],
)
def test_one_that_cannot_be_used_is_an_error_that_says_what_to_do(
    packages: Path, code: str, name: str, says: str
) -> None:
    install(packages, code, name)
    with pytest.raises(DataError, match=says):
        clean_records([SHOUTING], SETTINGS)
