"""Where the trainer's processes run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.recipe.section import Section


class LauncherSection(Section):
    """One process on this machine, several on one machine, or several on many."""

    kind: Literal["local", "accelerate", "ray"] = Field(
        default="local",
        description="local: one process. accelerate: `accelerate launch` on one machine. ray: Ray "
        "Train, on a cluster.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        description="How many processes train together, each with its own device. Rows per "
        "optimizer step are batch_size x gradient_accumulation x processes.",
    )
    strategy: Literal["ddp", "fsdp", "deepspeed"] = Field(
        default="ddp",
        description="ddp: every process has the whole model. fsdp, deepspeed: each has a share.",
    )
    zero_stage: Literal[1, 2, 3] = Field(
        default=2,
        description="`deepspeed` only: share optimizer states (1), gradients too (2), weights too "
        "(3).",
    )
    offload: bool = Field(
        default=False, description="`fsdp`, `deepspeed`: keep what waits in the main memory."
    )
    address: str | None = Field(
        default=None, description="`ray` only: the cluster's address. None starts one here."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "local" and self.processes > 1:
            raise ValueError(
                f"`processes: {self.processes}` needs `kind: accelerate` (one machine) or "
                "`kind: ray` (many)"
            )
        if self.kind == "local" and self.strategy != "ddp":
            raise ValueError(f"`strategy: {self.strategy}` needs `kind: accelerate` or `kind: ray`")
        if self.address is not None and self.kind != "ray":
            raise ValueError("`address` is read by `kind: ray` only")
        return self
