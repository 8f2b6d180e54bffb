"""A recipe's settings as TRL's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl.trainer.sft_config import SFTConfig

from sluice.recipe import TrainingSection
from sluice.training.choices import Choices
from sluice.training.launch.sharing import sharing_arguments
from sluice.training.methods.catalogue import METHODS


def arguments_of(
    settings: TrainingSection, choices: Choices, work: Path, *, has_validation: bool
) -> SFTConfig:
    """TRL's arguments; what is not decided by recipe or hardware is said here, with its reason."""
    every = settings.evaluate_every_steps
    strategy = ("steps" if every else "epoch") if has_validation else "no"
    checkpointing = choices.gradient_checkpointing
    sharing = sharing_arguments(
        settings.launcher, work, precision=choices.precision, checkpointing=checkpointing
    )
    # Frozen weights are bf16 themselves where that pays; autocast on top only adds conversions.
    # Weights that are trained stay fp32, and are rounded for each product.
    rounded = choices.precision == "bf16" and METHODS[settings.method].whole
    given: dict[str, Any] = {"bf16": rounded, **sharing}
    arguments = SFTConfig(
        output_dir=str(work),
        use_cpu=choices.device == "cpu",
        tf32=choices.tf32 or None,  # False is refused where there is no GPU
        # FSDP has its own, which does not gather a layer's weights once more.
        gradient_checkpointing=checkpointing and "fsdp" not in sharing,
        max_length=None,  # rows are cut, and counted, before they come here
        dataset_kwargs={"skip_prepare_dataset": True},
        completion_only_loss=True,  # the question is given at serving time: learn the answer
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim=choices.optimizer,
        torch_compile=choices.compile,
        padding_free=choices.padding_free,
        seed=settings.seed,
        data_seed=settings.seed,
        eval_strategy=strategy,
        eval_steps=every,
        save_strategy="steps",
        save_steps=settings.checkpoint_every_steps,
        save_total_limit=None,  # ours are let go by `checkpoints`, which knows the verified ones
        logging_steps=1,
        logging_nan_inf_filter=False,  # a NaN must be seen, not averaged away
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=choices.device == "cuda",
        **given,
    )
    return _on_one_device(arguments)


def _on_one_device(arguments: Any) -> Any:
    """One process, one device: transformers would spread a lone process over all GPUs it sees.

    That is PyTorch's DataParallel, slower than `kind: accelerate` and with another batch size.
    """
    if arguments.n_gpu > 1:  # the question itself makes the arguments look for devices
        arguments._n_gpu = 1
    return arguments
