"""How the model is trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.recipe.launcher import LauncherSection
from sluice.recipe.section import Section

Method = Literal[
    "full",
    "lora",
    "qlora",
    "dora",
    "pissa",
    "hybrid",
    "adalora",
    "vera",
    "ia3",
    "prefix",
    "p_tuning",
    "prompt",
]
Part = Literal["embeddings", "head"]

# The peak learning rate where a recipe names none: the middle of what each method's paper and
# PEFT's examples use. The fewer parameters are trained, the higher it is.
USUAL_RATES: dict[Method, float] = {
    "full": 2e-5,
    "lora": 2e-4,
    "qlora": 2e-4,
    "dora": 2e-4,
    "pissa": 2e-4,
    "hybrid": 1e-4,
    "adalora": 1e-3,
    "vera": 4e-3,
    "ia3": 3e-3,
    "prefix": 1e-2,
    "p_tuning": 1e-2,
    "prompt": 3e-2,
}


class ReplaySection(Section):
    """Rows that are trained on again, so that what was learned before is not forgotten."""

    older_share: float | None = Field(
        default=None,
        ge=0.0,
        lt=1.0,
        description="With `start_from: champion`: the share of the training rows that the champion "
        "was trained on already; the rest are new to it. None takes all rows, old and new.",
    )
    general_source: str | None = Field(
        default=None,
        description="The name of one of `data.sources` that holds general rows (not of this task). "
        "They are cleaned and checked like all others.",
    )
    general_share: float = Field(
        default=0.1,
        gt=0.0,
        lt=1.0,
        description="The share of the training rows that `general_source` may take.",
    )


class TrainingSection(Section):
    """Supervised fine-tuning with TRL's SFTTrainer; the loss is taken on answers only."""

    method: Method = Field(
        default="lora", description="What is trained; see the page on choosing a method."
    )
    start_from: Literal["base", "champion"] = Field(
        default="base",
        description="champion: go on from the weights in service, if there are any; its method and "
        "its base must be the same.",
    )
    replay: ReplaySection = Field(
        default=ReplaySection(), description="What is trained on again against forgetting."
    )
    learning_rate: float | None = Field(
        default=None, gt=0, lt=1, description="Peak learning rate. None: what is usual (by method)."
    )
    epochs: float = Field(default=3.0, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=8, ge=1, description="Rows per optimizer step and device.")
    gradient_accumulation: int = Field(
        default=1, ge=1, description="Batches that are summed before each optimizer step."
    )
    max_length: int | None = Field(
        default=None,
        ge=8,
        description="Longest row in tokens, prompt and answer; the end of a longer one is cut off. "
        "None: what the model's context holds.",
    )
    rank: int = Field(
        default=16, ge=1, description="Rank r of the low-rank methods (VeRA multiplies it by 16)."
    )
    alpha: int = Field(default=32, ge=1, description="LoRA alpha; usually 2r.")
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Adapter dropout. 0 by default: on a CPU it costs about a third of the speed.",
    )
    target_modules: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Names of the layers that get an adapter. None: all linear layers but the head "
        "(IA3: keys, values and the second feed-forward layer), found for each architecture.",
    )
    fully_trained: tuple[Part, ...] = Field(
        default=("embeddings", "head"),
        min_length=1,
        description="`hybrid` only: what is trained whole beside the LoRA adapter.",
    )
    quantization: Literal["nf4", "int8"] = Field(
        default="nf4",
        description="`qlora` only: 4-bit NormalFloat with double quantisation, or 8-bit integers.",
    )
    virtual_tokens: int = Field(
        default=16,
        ge=1,
        description="`prefix`, `p_tuning`, `prompt`: how many vectors are learned.",
    )
    prompt_text: str | None = Field(
        default=None,
        min_length=1,
        description="`prompt` only: the text that the vectors start from. None: random.",
    )
    warmup_ratio: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="Share of steps in which the rate rises."
    )
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(default=0.0, ge=0.0, lt=1.0, description="AdamW weight decay.")
    max_grad_norm: float = Field(
        default=1.0, gt=0.0, description="Longer gradients are shortened to this norm."
    )
    optimizer: Literal["auto", "adamw", "adamw_8bit", "paged_adamw_8bit"] = Field(
        default="auto", description="auto: AdamW, with 8-bit states where full states do not fit."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="auto: bf16 where the processor or GPU computes in it, else fp32.",
    )
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Compute activations twice instead of keeping them. auto: only where memory "
        "needs it.",
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Compile the decoder's layers. auto: where the training is long enough to "
        "win back the time that it takes.",
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads. None: all cores that the process may use."
    )
    checkpoint_every_steps: int = Field(
        default=20, ge=1, description="A killed training loses at most this many steps."
    )
    keep_checkpoints: int = Field(
        default=2, ge=1, description="Checkpoints that are kept, beside the best one."
    )
    evaluate_every_steps: int | None = Field(
        default=None, ge=1, description="Steps between validation losses. None: after each epoch."
    )
    early_stopping: int | None = Field(
        default=None,
        ge=1,
        description="Stop once this many validation losses in a row are no better than the best "
        "one. None: train to the end.",
    )
    keep: Literal["last", "best"] = Field(
        default="last",
        description="best: the weights with the lowest validation loss become the model.",
    )
    launcher: LauncherSection = Field(
        default=LauncherSection(), description="Which processes train, and where."
    )
    timeout_minutes: float = Field(
        default=24 * 60, gt=0, description="Training is stopped, as a failure, after this time."
    )
    seed: int = Field(default=7, ge=0, description="Seed of data order and adapter weights.")

    @property
    def rate(self) -> float:
        """The peak learning rate: the recipe's, or what is usual for the method."""
        return USUAL_RATES[self.method] if self.learning_rate is None else self.learning_rate

    @model_validator(mode="after")
    def _belongs_to_method(self) -> Self:
        for key, methods in _ONLY_FOR.items():
            default = type(self).model_fields[key].default
            if getattr(self, key) != default and self.method not in methods:
                raise ValueError(
                    f"`{key}` is read by {' and '.join(methods)} only, and the method is "
                    f"{self.method}: take it out, or change `method`"
                )
        if self.replay.older_share is not None and self.start_from != "champion":
            raise ValueError(
                "`replay.older_share` needs `start_from: champion`: from the base every row is new"
            )
        return self

    @model_validator(mode="after")
    def _can_be_shared(self) -> Self:
        launcher = self.launcher
        zero_3 = launcher.strategy == "deepspeed" and launcher.zero_stage == 3
        if self.method == "qlora" and (launcher.strategy == "fsdp" or zero_3):
            way = "zero_stage: 3" if zero_3 else "strategy: fsdp"
            raise ValueError(
                f"`method: qlora` cannot be with `launcher.{way}`: weights that are stored in 4 or "
                "8 bits cannot be cut into shares. Take `launcher.strategy: ddp`, deepspeed's "
                "`zero_stage: 2`, or `method: lora`"
            )
        if launcher.strategy == "fsdp" and self.optimizer.endswith("_8bit"):
            raise ValueError(
                f"`optimizer: {self.optimizer}` cannot be with `launcher.strategy: fsdp`: it "
                "cannot see tensors that are cut into shares. Take `adamw`, or `auto`"
            )
        return self


_ONLY_FOR: dict[str, tuple[Method, ...]] = {
    "fully_trained": ("hybrid",),
    "quantization": ("qlora",),
    "virtual_tokens": ("prefix", "p_tuning", "prompt"),
    "prompt_text": ("prompt",),
}
