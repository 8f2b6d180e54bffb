"""Log a trained model to MLflow in a process of its own, load it back, and compare the logits.

`base_model_path` keeps the base out of the artifact and its weights intact; without it MLflow
stores a LoRA model over a local base with wrapped keys and reloads it with fresh weights
(mlflow#23761), silently. So the comparison is made every time, on what MLflow gives back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.child_process import EventWriter, run_child
from sluice.registry.connection import client_for

import mlflow  # isort: skip  (after connection, which sets what mlflow reads at import)

from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER
from sluice.training.loading import load_base, load_tokenizer, use_threads, with_adapter
from sluice.training.probe import require_same

_mlflow: Any = mlflow  # typed in part only
REQUIREMENTS = ["mlflow", "transformers", "peft", "torch", "accelerate"]


def publish(request: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Log the model under a run and prove the reload; returns the logged model's URI."""
    use_threads(None)
    folder, base = Path(request["folder"]), Path(request["base_folder"])
    client_for(request["tracking_uri"])
    tokenizer = load_tokenizer(folder / TOKENIZER)
    model = with_adapter(load_base(base, request["precision"]), folder / ADAPTER, "default")
    require_same(model, tokenizer, folder / PROBE, "the lake")
    flavour = _mlflow.transformers
    with _mlflow.start_run(run_id=request["run_id"]):
        info = flavour.log_model(
            {"model": model, "tokenizer": tokenizer},
            name="model",
            task="llm/v1/chat",
            base_model_path=str(base),
            pip_requirements=REQUIREMENTS,
            metadata=request["metadata"],
        )
    uri = str(info.model_uri)
    loaded = flavour.load_model(uri, return_type="components")
    require_same(loaded["model"].eval(), loaded["tokenizer"], folder / PROBE, "MLflow")
    return {"model_uri": uri}


if __name__ == "__main__":
    run_child(publish)
