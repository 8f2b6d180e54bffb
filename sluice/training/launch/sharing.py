"""How several processes share one model: PyTorch's FSDP2 or DeepSpeed's ZeRO, as they are told.

FSDP2: Zhao et al. 2023, PyTorch FSDP (and torch.distributed.fsdp.fully_shard). ZeRO: Rajbhandari
et al. 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.lake import write_json
from sluice.recipe import LauncherSection
from sluice.training.launch import group

FSDP, DEEPSPEED = "fsdp.json", "deepspeed.json"


def sharing_arguments(
    launcher: LauncherSection, work: Path, *, precision: str, checkpointing: bool
) -> dict[str, Any]:
    """The arguments of transformers' trainer for the recipe's strategy; they name a file in `work`.

    Args:
        precision: fp32 or bf16, the number type of the weights.
        checkpointing: whether activations are computed twice.
    """
    if launcher.kind == "local":
        return {}
    if launcher.strategy == "fsdp":
        settings = fsdp_settings(launcher, checkpointing=checkpointing)
        return {"fsdp": True, "fsdp_config": _written(work / FSDP, settings)}
    if launcher.strategy == "deepspeed":
        settings = deepspeed_settings(launcher, precision=precision)
        # Under DeepSpeed bf16 is its own mode: bf16 weights, fp32 ones beside them for AdamW.
        return {"deepspeed": _written(work / DEEPSPEED, settings), "bf16": precision == "bf16"}
    # All that is trained takes part in every step; searching for what does not costs a pass.
    return {"ddp_find_unused_parameters": False}


def fsdp_settings(launcher: LauncherSection, *, checkpointing: bool) -> dict[str, Any]:
    """FSDP2 as transformers takes it in `fsdp_config`."""
    return {
        "version": 2,
        "reshard_after_forward": True,  # ZeRO stage 3: a layer's weights are there while it runs
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "cpu_offload": launcher.offload,
        "state_dict_type": "FULL_STATE_DICT",  # checkpoints that any number of processes can read
        "activation_checkpointing": checkpointing,
    }


def deepspeed_settings(launcher: LauncherSection, *, precision: str) -> dict[str, Any]:
    """DeepSpeed's own configuration; `auto` is filled in from the trainer's arguments."""
    zero: dict[str, Any] = {
        "stage": launcher.zero_stage,
        "overlap_comm": True,
        "contiguous_gradients": True,
    }
    if launcher.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    if launcher.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
        if launcher.offload:
            zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": precision == "bf16"},
        "gradient_clipping": "auto",
        "gradient_accumulation_steps": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "train_batch_size": "auto",
        "zero_allow_untested_optimizer": True,  # 8-bit AdamW is not in DeepSpeed's list
        "zero_force_ds_cpu_optimizer": False,  # PyTorch's fused AdamW runs on CPUs too
    }


def _written(path: Path, settings: dict[str, Any]) -> str:
    if group.is_first():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, settings)
    group.wait_for_all()
    return str(path)
