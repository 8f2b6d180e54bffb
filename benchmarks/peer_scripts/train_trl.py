"""Train with TRL's SFTTrainer as it comes, on this machine's CPU.

    PYTHON train_trl.py REQUEST.json

Everything that the request does not name is TRL's own default: fp32 weights, bf16 autocast,
gradient checkpointing, a checkpoint at the end. `use_cpu` is what makes it run here.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from step_clock import StepClock, die_with_parent  # pyright: ignore[reportAttributeAccessIssue]
from trl import SFTConfig, SFTTrainer


def arguments(request: dict[str, Any]) -> SFTConfig:
    """TRL's defaults, and what all sides share."""
    return SFTConfig(
        output_dir=request["out"],
        use_cpu=True,
        per_device_train_batch_size=request["batch_size"],
        num_train_epochs=request["epochs"],
        learning_rate=request["learning_rate"],
        lr_scheduler_type=request["scheduler"],
        warmup_steps=request["warmup_ratio"],
        weight_decay=request["weight_decay"],
        seed=request["seed"],
        report_to=[],
    )


def main() -> None:
    """Train, save the adapter, and leave the notes."""
    die_with_parent()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    lines = Path(request["rows"]).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    lora = LoraConfig(
        r=request["rank"],
        lora_alpha=request["alpha"],
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    clock = StepClock()
    trainer = SFTTrainer(
        model=request["base"],
        args=arguments(request),
        train_dataset=Dataset.from_list(rows),
        peft_config=lora,
        callbacks=[clock],
    )
    trainer.data_collator = clock.counted(trainer.data_collator)
    trainer.train()
    trainer.save_model(request["out"])
    clock.write(Path(request["notes"]), trainer.model)


if __name__ == "__main__":
    main()
