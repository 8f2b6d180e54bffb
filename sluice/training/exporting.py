"""Write a trained model as a folder that transformers, vLLM and others load without Sluice.

config.json, *.safetensors   the whole model (merged, or trained whole); or
adapter_config.json, …       the adapter, to be put on the base that the manifest names
tokenizer files              with the chat template that it was trained with
generation_config.json       with every token that ends an answer
sluice-export.json           what it is and was made of, and how far its logits are from the trained

Run as `python -m sluice.training.exporting REQUEST`: a model in memory has a process of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers

from sluice.child_process import EventWriter, run_child
from sluice.errors import IntegrityError
from sluice.lake import file_digest, write_json
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, WEIGHTS, TrainedModel
from sluice.training.chat import stop_ids
from sluice.training.loading import load_base, load_tokenizer, load_trained, use_threads
from sluice.training.methods.merging import MERGED_TOLERANCE, merged
from sluice.training.probe import largest_difference, require_same

MANIFEST = "sluice-export.json"
# These are typed in part only.
_tensors: Any = safetensors.torch
GenerationConfig: Any = transformers.GenerationConfig


def export_model(folder: Path, base_folder: Path, out: Path, *, merge: bool) -> dict[str, Any]:
    """Write a model's folder in the lake to `out`; returns the manifest.

    Args:
        folder: the model's folder in the lake.
        base_folder: its base on this machine.
        out: a folder that does not exist yet.
        merge: make an adapter part of the base's weights.

    Raises:
        TrainingError: the method's adapter cannot be merged; the text says why.
        IntegrityError: what was written computes something else than what was trained.
    """
    facts = TrainedModel.read(folder)
    tokenizer = load_tokenizer(folder / TOKENIZER, trust_remote_code=facts.remote_code)
    model = load_trained(folder, base_folder, facts)
    require_same(model, tokenizer, folder / PROBE, "the lake")
    stops = stop_ids(model, tokenizer)
    aside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(folder / TOKENIZER, aside)
    if merge:
        merged(model).save_pretrained(str(aside), safe_serialization=True)
    else:
        kept = WEIGHTS if (folder / WEIGHTS).is_dir() else ADAPTER
        shutil.copytree(folder / kept, aside, dirs_exist_ok=True)
    settings = GenerationConfig(eos_token_id=stops, pad_token_id=tokenizer.pad_token_id)
    settings.save_pretrained(str(aside))
    apart = _difference(aside, folder / PROBE, facts) if (aside / "config.json").exists() else 0.0
    return _finished(aside, out, facts, merge=merge, apart=apart)


def _difference(written: Path, probe: Path, facts: TrainedModel) -> float:
    again = load_base(written, facts.precision, trust_remote_code=facts.remote_code)
    tokenizer = load_tokenizer(written, trust_remote_code=facts.remote_code)
    apart = largest_difference(again, tokenizer, probe)
    saved: dict[str, torch.Tensor] = _tensors.load_file(str(probe))
    largest = max(float(logits.abs().max()) for logits in saved.values())
    if not apart <= MERGED_TOLERANCE[facts.precision] * largest:  # NaN is not
        raise IntegrityError(
            f"The exported model computes something else than the trained one: its logits differ "
            f"by up to {apart:.3g}, where the largest is {largest:.3g}. It stays in {written}; do "
            "not serve it. Export without --merged, and serve the adapter on its base."
        )
    return apart


def _finished(
    aside: Path, out: Path, facts: TrainedModel, *, merge: bool, apart: float
) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "base": facts.base,
        "revision": facts.revision,
        "base_digest": facts.base_digest,
        "method": facts.method,
        "merged": merge,
        "precision": facts.precision,
        "trained_over": facts.quantization or facts.precision,
        "chat_digest": facts.chat_digest,
        "system_prompt": facts.system_prompt,
        "largest_logit_difference": apart,
        "files": {p.name: file_digest(p) for p in sorted(aside.iterdir())},
    }
    write_json(aside / MANIFEST, manifest)
    aside.rename(out)
    return manifest


def export(request: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """`export_model` for a request: `folder`, `base_folder`, `out`, `merge`, `threads`."""
    use_threads(request["threads"])
    folders = (Path(request[name]) for name in ("folder", "base_folder", "out"))
    return export_model(*folders, merge=bool(request["merge"]))


if __name__ == "__main__":
    run_child(export)
