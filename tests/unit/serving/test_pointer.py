from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import ServingError
from sluice.serving.pointer import (
    Pointer,
    Served,
    advanced,
    read_pointer,
    rolled_back,
    write_pointer,
)

VERSIONS = st.integers(1, 5).map(lambda n: Served(str(n), f"{n:064x}", f"models/{n:064x}"))
POINTERS = st.builds(Pointer, st.none() | VERSIONS, st.none() | VERSIONS)


@given(POINTERS, VERSIONS)
def test_a_promoted_version_is_current_and_the_one_before_it_previous(
    pointer: Pointer, version: Served
) -> None:
    after = advanced(pointer, version)
    assert after.current == version
    assert after == pointer or after.previous == pointer.current


@given(POINTERS, VERSIONS)
def test_promoting_twice_is_promoting_once(pointer: Pointer, version: Served) -> None:
    once = advanced(pointer, version)
    assert advanced(once, version) == once


@given(VERSIONS, VERSIONS)
def test_a_rollback_undoes_a_promotion(first: Served, then: Served) -> None:
    before = advanced(Pointer(), first)
    after = advanced(before, then)
    if first != then:
        assert rolled_back(after).current == first
        assert rolled_back(rolled_back(after)) == after


@given(st.none() | VERSIONS)
def test_there_is_nothing_to_roll_back_to_after_one_promotion(current: Served | None) -> None:
    with pytest.raises(ServingError, match="no previous version"):
        rolled_back(Pointer(current))


@given(POINTERS)
def test_a_stored_pointer_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pointer: Pointer
) -> None:
    folder = tmp_path_factory.mktemp("serving")
    write_pointer(folder, pointer)
    assert read_pointer(folder) == pointer


def test_a_home_without_pointer_serves_nothing(tmp_path: Path) -> None:
    assert read_pointer(tmp_path) == Pointer()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"current": {"x": 1}, "previous": null}'])
def test_a_pointer_that_cannot_be_read_is_not_guessed_at(tmp_path: Path, text: str) -> None:
    (tmp_path / "pointer.json").write_text(text)
    with pytest.raises(ServingError, match=r"pointer\.json cannot be read"):
        read_pointer(tmp_path)


def test_the_file_can_be_read_by_a_person(tmp_path: Path) -> None:
    write_pointer(tmp_path, Pointer(Served("3", "d" * 64, "models/" + "d" * 64)))
    stored = json.loads((tmp_path / "pointer.json").read_text())
    assert stored["current"]["version"] == "3"
    assert stored["previous"] is None
