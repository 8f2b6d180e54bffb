"""A GGUF file as a folder of safetensors: dequantised once, and kept in the cache."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from sluice.errors import BaseModelError
from sluice.lake import file_digest, write_json

CONVERSION = 1  # raise it when the conversion changes: older conversions are then not reused
READY = "sluice-base.json"


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
