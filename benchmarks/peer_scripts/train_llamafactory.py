"""Train with LLaMA-Factory's own sft stage, in its own environment, on this machine's CPU.

    ENVIRONMENT/bin/python train_llamafactory.py REQUEST.json

Everything that the request does not name is LLaMA-Factory's own default: weights in the type that
the model's folder has them in (bf16), no autocast, gradient checkpointing. `precision: bf16` asks
for what its example files ask for, `bf16: true`, which it refuses without a GPU unless `use_cpu`
is set. It imports torchaudio for rows with sound, of which there are none here: an empty module
stands in for it.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ["DISABLE_VERSION_CHECK"] = "1"
torchaudio = types.ModuleType("torchaudio")
torchaudio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = torchaudio

from llamafactory.train.sft import workflow  # noqa: E402
from llamafactory.train.tuner import run_exp  # noqa: E402
from step_clock import StepClock, die_with_parent  # noqa: E402

TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


class KeepingClock(StepClock):
    """A clock that holds on to the model, which `run_exp` keeps to itself."""

    model: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.model = given["model"]


def write_dataset(rows: Path, folder: Path) -> None:
    """The rows as LLaMA-Factory reads them: a file, and `dataset_info.json` that describes it."""
    folder.mkdir()
    with rows.open(encoding="utf-8") as lines, (folder / "rows.jsonl").open("w") as out:
        for line in lines:
            row = json.loads(line)
            out.write(json.dumps({"messages": row["prompt"] + row["completion"]}) + "\n")
    described = {
        "file_name": "rows.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": TAGS,
    }
    (folder / "dataset_info.json").write_text(json.dumps({"rows": described}))


def arguments(request: dict[str, Any], data: Path) -> dict[str, Any]:
    """LLaMA-Factory's defaults, and what all sides share."""
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": request["base"],
        "template": request["template"],
        "dataset_dir": str(data),
        "dataset": "rows",
        "output_dir": request["out"],
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": request["rank"],
        "lora_alpha": request["alpha"],
        "per_device_train_batch_size": request["batch_size"],
        "num_train_epochs": request["epochs"],
        "learning_rate": request["learning_rate"],
        "lr_scheduler_type": request["scheduler"],
        "warmup_ratio": request["warmup_ratio"],
        "weight_decay": request["weight_decay"],
        "seed": request["seed"],
        "report_to": "none",
        **({"bf16": True, "use_cpu": True} if request["precision"] == "bf16" else {}),
    }


def main() -> None:
    """Train, which saves the adapter, and leave the notes."""
    die_with_parent()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    data = Path(request["work"]) / "data"
    write_dataset(Path(request["rows"]), data)
    clock = KeepingClock()
    collator: Any = workflow.SFTDataCollatorWith4DAttentionMask
    collator.__call__ = clock.counted(collator.__call__)
    run_exp(arguments(request, data), callbacks=[clock])
    clock.write(Path(request["notes"]), clock.model)


if __name__ == "__main__":
    main()
