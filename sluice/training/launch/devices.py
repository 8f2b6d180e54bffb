"""Whether there are the devices that a launcher asks for."""

from __future__ import annotations

from sluice.errors import TrainingError
from sluice.recipe import LauncherSection


def require_devices(launcher: LauncherSection, gpus: int, where: str) -> None:
    """Refuse more processes than GPUs; where there is no GPU at all, processes train on CPUs.

    Args:
        gpus: how many there are.
        where: of which machine or cluster, for the message.

    Raises:
        TrainingError: there are GPUs, but too few; or none, and the model is to be shared.
    """
    if gpus == 0 and launcher.strategy != "ddp":
        # accelerate knows neither on CPUs, and would train as with ddp without a word.
        raise TrainingError(
            f"`training.launcher.strategy: {launcher.strategy}` shares a model over GPUs, and "
            f"{where} has none. Set it to ddp: every process then has the whole model."
        )
    if 0 < gpus < launcher.processes:
        raise TrainingError(
            f"`training.launcher.processes` is {launcher.processes}, but {where} has {gpus} GPUs; "
            f"each process needs its own. Set it to {gpus}, and raise "
            "`training.gradient_accumulation` to keep the rows per optimizer step."
        )
