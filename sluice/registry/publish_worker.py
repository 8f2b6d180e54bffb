"""Log a model to MLflow in a process of its own, load it back, and compare the logits.

For adapters, `base_model_path` keeps the base out of the artifact and its weights intact; without
it MLflow stores a LoRA model over a local base with wrapped keys and reloads it with fresh weights
(mlflow#23761), silently. So the comparison is made every time, on what MLflow gives back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from sluice.child_process import EventWriter, run_child
from sluice.registry.connection import client_for

import mlflow  # isort: skip  (after connection, which sets what mlflow reads at import)

from sluice.registry.logged_files import fetched_files, log_files
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, TrainedModel
from sluice.training.loading import load_tokenizer, load_trained, use_threads
from sluice.training.probe import require_same

_mlflow: Any = mlflow  # typed in part only
REQUIREMENTS = ["mlflow", "transformers", "peft", "torch", "accelerate"]


def publish(request: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Log the model under a run and prove the reload; returns the logged model's URI."""
    # Sums in fp32 come out otherwise with another number of threads: take that of the training.
    use_threads(request["threads"])
    folder, base = Path(request["folder"]), Path(request["base_folder"])
    facts = TrainedModel.read(folder)
    store = str(request["tracking_uri"])
    client_for(store)
    tokenizer = load_tokenizer(folder / TOKENIZER, trust_remote_code=facts.remote_code)
    model = load_trained(folder, base, facts)
    require_same(model, tokenizer, folder / PROBE, "the lake")
    with _mlflow.start_run(run_id=request["run_id"]):
        if facts.quantization is not None or facts.remote_code:
            uri = log_files(store, folder, request["metadata"])
            model = _from_files(store, uri, base)
        else:
            uri = _log_components(model, tokenizer, folder, base, request["metadata"])
            model, tokenizer = _from_components(uri)
    require_same(model, tokenizer, folder / PROBE, "MLflow")
    return {"model_uri": uri}


def _log_components(
    model: Any, tokenizer: Any, folder: Path, base: Path, metadata: dict[str, Any]
) -> str:
    adapter = (folder / ADAPTER).is_dir()
    info = _mlflow.transformers.log_model(
        {"model": model, "tokenizer": tokenizer},
        name="model",
        task="llm/v1/chat",
        base_model_path=str(base) if adapter else None,
        pip_requirements=REQUIREMENTS,
        metadata=metadata,
    )
    return str(info.model_uri)


def _from_components(uri: str) -> tuple[Any, Any]:
    loaded = _mlflow.transformers.load_model(uri, return_type="components")
    return loaded["model"].eval(), loaded["tokenizer"]


def _from_files(store: str, uri: str, base: Path) -> Any:
    with tempfile.TemporaryDirectory() as out:
        folder = fetched_files(store, uri, Path(out))
        return load_trained(folder, base, TrainedModel.read(folder))


if __name__ == "__main__":
    run_child(publish)
