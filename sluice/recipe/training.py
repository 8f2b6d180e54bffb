"""How the model is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section

Method = Literal["lora"]


class TrainingSection(Section):
    """Supervised fine-tuning with TRL's SFTTrainer; the loss is taken on answers only."""

    method: Method = Field(default="lora", description="Parameter-efficient method (PEFT).")
    learning_rate: float = Field(
        default=2e-4, gt=0, lt=1, description="Peak learning rate. LoRA: 1e-4 to 2e-4 is usual."
    )
    epochs: float = Field(default=3.0, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=8, ge=1, description="Rows per optimizer step and device.")
    gradient_accumulation: int = Field(
        default=1, ge=1, description="Batches that are summed before each optimizer step."
    )
    rank: int = Field(default=16, ge=1, description="LoRA rank r.")
    alpha: int = Field(default=32, ge=1, description="LoRA alpha; usually 2r.")
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Adapter dropout. 0 by default: on a CPU it costs about a third of the speed.",
    )
    warmup_ratio: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="Share of steps in which the rate rises."
    )
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(default=0.0, ge=0.0, lt=1.0, description="AdamW weight decay.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="auto: bf16 where the processor or GPU computes in it, else fp32.",
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads. None: all cores that the process may use."
    )
    checkpoint_every_steps: int = Field(
        default=20, ge=1, description="A killed training loses at most this many steps."
    )
    timeout_minutes: float = Field(
        default=24 * 60, gt=0, description="Training is stopped, as a failure, after this time."
    )
    seed: int = Field(default=7, ge=0, description="Seed of data order and adapter weights.")
