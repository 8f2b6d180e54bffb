from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import IntegrityError
from sluice.lake import MANIFEST, Lake, digest_of, read_json, step_key, write_json
from sluice.refs import DatasetRef, Evidence, ModelRef

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def put(lake: Lake, key: str, **files: str) -> DatasetRef:
    """Commit a folder of text files."""
    with lake.aside() as folder:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return lake.commit(
            folder, "raw", key, lambda uri, digest: DatasetRef(uri, digest, len(files))
        )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_the_same_content_has_the_same_digest_whatever_made_it(lake: Lake) -> None:
    one, two = put(lake, "a", x="1", y="2"), put(lake, "b", y="2", x="1")
    assert one == two
    assert put(lake, "c", x="1", y="3").digest != one.digest
    assert put(lake, "d", x="1", z="2").digest != one.digest
    assert lake.find("a", DatasetRef) == lake.find("b", DatasetRef) == one
    lake.verify(one)


def test_a_step_that_never_ran_is_not_found(lake: Lake) -> None:
    assert lake.find("none", DatasetRef) is None


def test_a_crash_before_the_rename_leaves_nothing_that_is_found(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(KeyboardInterrupt):
        put(lake, "a", x="1")
    monkeypatch.undo()
    assert lake.find("a", DatasetRef) is None
    assert list((lake.root / "work").iterdir()) == []
    assert put(lake, "a", x="1") == lake.find("a", DatasetRef)


def test_a_crash_before_the_memo_is_written_costs_only_the_step(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path, value: Any) -> None:
        if path.parent.name == "steps":
            raise KeyboardInterrupt
        write_json(path, value)

    monkeypatch.setattr("sluice.lake.write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        put(lake, "a", x="1")
    monkeypatch.undo()
    assert lake.find("a", DatasetRef) is None
    lake.verify(put(lake, "a", x="1"))


@pytest.mark.parametrize("damage", ["change", "remove", "add", "manifest", "rename", "nonsense"])
def test_damage_is_found_and_a_rerun_repairs_it(lake: Lake, damage: str) -> None:
    ref = put(lake, "a", x="1", y="2")
    folder = lake.path(ref)
    if damage == "change":
        (folder / "x").write_text("9")
    elif damage == "remove":
        (folder / "y").unlink()
    elif damage == "add":
        (folder / "z.pkl").write_text("3")
    elif damage == "manifest":
        manifest = read_json(folder / MANIFEST)
        manifest["files"]["x"] = "0" * 64
        write_json(folder / MANIFEST, manifest)
    elif damage == "nonsense":
        (folder / MANIFEST).write_text('{"files": ')
    else:
        (folder / "x").rename(folder / "w")
    with pytest.raises(IntegrityError, match=f"(?s){ref.digest[:12]}.*run the recipe again"):
        lake.verify(ref)
    assert put(lake, "b", x="1", y="2") == ref
    lake.verify(ref)


def test_a_manifest_for_other_bytes_is_refused(lake: Lake) -> None:
    """Somebody who changes a file and its manifest together is caught by the name."""
    ref, other = put(lake, "a", x="1"), put(lake, "b", x="2")
    for name in ("x", MANIFEST):
        (lake.path(ref) / name).write_bytes((lake.path(other) / name).read_bytes())
    with pytest.raises(IntegrityError, match="the manifest itself"):
        lake.verify(ref)


def test_a_folder_that_was_deleted_is_rebuilt_not_found(lake: Lake) -> None:
    ref = put(lake, "a", x="1")
    (lake.path(ref) / MANIFEST).unlink()
    assert lake.find("a", DatasetRef) is None
    with pytest.raises(IntegrityError, match="is not in the lake"):
        lake.verify(ref)


def test_the_key_changes_with_every_input() -> None:
    keys = [
        step_key("clean", 1, "d", {"a": 1}),
        step_key("clean", 2, "d", {"a": 1}),
        step_key("split", 1, "d", {"a": 1}),
        step_key("clean", 1, "e", {"a": 1}),
        step_key("clean", 1, "d", {"a": 2}),
        step_key("clean", 1, "d", {"a": None}),
        step_key("clean", 1, "d", {"a": "1"}),
        step_key("clean", 1, "d"),
        step_key("clean", 1, "d", {"a": 1}, None),
        step_key("clean", 1, ["d", {"a": 1}]),
    ]
    assert len(set(keys)) == len(keys)


@given(JSON, JSON)
def test_digests_are_equal_only_for_equal_values(one: Any, two: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (digest_of(one) == digest_of(two)) == same


@given(JSON)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"new": 2})
    monkeypatch.undo()
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": 1}


@pytest.mark.parametrize(
    "ref",
    [
        DatasetRef("raw/a", "a", 3),
        ModelRef("models/a", "a", "base", "lora"),
        Evidence("evidence/a", "a", "promote"),
    ],
)
def test_references_survive_json(ref: Any) -> None:
    assert type(ref).from_json(json.loads(json.dumps(ref.to_json()))) == ref
