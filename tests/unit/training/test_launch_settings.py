"""What is generated for accelerate, FSDP and DeepSpeed, read by these libraries' own readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import accelerate.commands.launch
import accelerate.utils
import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils.deepspeed import HfDeepSpeedConfig
from torch.distributed.fsdp import CPUOffloadPolicy

from sluice.errors import TrainingError
from sluice.lake import write_json
from sluice.recipe import LauncherSection, TrainingSection
from sluice.training.arguments import arguments_of
from sluice.training.choices import decided
from sluice.training.hardware import Machine
from sluice.training.launch.devices import require_devices
from sluice.training.launch.filler import filled
from sluice.training.launch.one_machine import write_config
from sluice.training.launch.outcome import facts_of_first, failure, forget_earlier, member_file
from sluice.training.launch.sharing import deepspeed_settings

launch: Any = accelerate.commands.launch
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")


def launcher(**settings: Any) -> LauncherSection:
    return LauncherSection.model_validate({"kind": "accelerate", "processes": 4, **settings})


def arguments(work: Path, sharing: LauncherSection, **settings: Any) -> Any:
    section = TrainingSection(launcher=sharing, **settings)
    choices = decided(section, Machine(cores=2, memory=10**11), None)
    return arguments_of(section, choices, work, has_validation=False)


def test_accelerate_reads_its_configuration_and_starts_so_many_processes(tmp_path: Path) -> None:
    path = write_config(tmp_path, 4, cpu=True)
    read = load_config_from_file(str(path))
    assert (read.num_processes, read.num_machines, read.use_cpu) == (4, 1, True)
    parser = launch.launch_command_parser()
    parsed = parser.parse_args(["--config_file", str(path), "-m", "some.module", "request.json"])
    checked, _, _ = launch._validate_launch_command(parsed)
    assert checked.multi_gpu  # accelerate's name for torchrun; on CPUs it would ask for MPI
    assert checked.num_processes == 4
    assert checked.mixed_precision == "no"


@pytest.mark.parametrize("checkpointing", ["on", "off"])
def test_fsdp_settings_become_accelerates_second_version(
    checkpointing: str, tmp_path: Path
) -> None:
    sharing = launcher(strategy="fsdp", offload=True)
    made = arguments(tmp_path, sharing, gradient_checkpointing=checkpointing)
    plugin = accelerate.utils.FullyShardedDataParallelPlugin(**made.fsdp_plugin_args)
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert isinstance(plugin.cpu_offload, CPUOffloadPolicy)
    assert plugin.state_dict_type.name == "FULL_STATE_DICT"
    # Its own way of computing twice, not the model's.
    assert plugin.activation_checkpointing is (checkpointing == "on")
    assert not made.gradient_checkpointing
    assert json.loads((tmp_path / "fsdp.json").read_text())["version"] == 2


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_deepspeed_settings_are_read_as_they_are_meant(stage: int, precision: str) -> None:
    written = deepspeed_settings(
        launcher(strategy="deepspeed", zero_stage=stage, offload=True), precision=precision
    )
    read = HfDeepSpeedConfig(written)
    assert read.is_zero3() == (stage == 3)
    assert read.is_zero2() == (stage == 2)
    assert read.is_offload() == (stage > 1)  # it does not look at the first stage
    assert read.is_true("bf16.enabled") == (precision == "bf16")
    assert read.get_value("gradient_clipping") == "auto"
    has_weights_away = "offload_param" in written["zero_optimization"]
    assert has_weights_away == (stage == 3)  # the other stages do not share them


def test_one_process_and_ddp_share_nothing(tmp_path: Path) -> None:
    alone = arguments(tmp_path, LauncherSection())
    assert alone.fsdp_plugin_args is None
    assert alone.deepspeed is None
    assert arguments(tmp_path, launcher()).ddp_find_unused_parameters is False
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_shared_over_gpus_only_and_each_process_has_one() -> None:
    require_devices(launcher(), 0, "this machine")
    require_devices(launcher(strategy="fsdp"), 4, "this machine")
    with pytest.raises(TrainingError, match=r"has 2 GPUs; .* Set it to 2"):
        require_devices(launcher(), 2, "this machine")
    with pytest.raises(TrainingError, match="fsdp` shares a model over GPUs, and this machine"):
        require_devices(launcher(strategy="fsdp"), 0, "this machine")


def test_an_epoch_is_filled_up_with_a_row_that_teaches_nothing() -> None:
    assert filled([2, 0, 1], 4) == [2, 0, 1, 3]
    assert filled([1, 0], 2) == [1, 0]
    assert filled([0], 8) == [0] + [1] * 7


def test_the_cause_is_told_and_not_what_followed_from_it(tmp_path: Path) -> None:
    lost = {"error": "RuntimeError: Connection closed by peer [127.0.0.1]:1"}
    write_json(member_file(tmp_path, 0), lost)
    text = str(failure(tmp_path, 2, {0: None, 1: "SIGKILL"}))
    assert "process 1 of 2 (counted from 0) was killed (SIGKILL)" in text
    assert "continues from the last checkpoint" in text
    assert "process 1 of 2 (counted from 0) was killed" in str(failure(tmp_path, 2, {0: None}))
    write_json(member_file(tmp_path, 1), {"error": "KeyError: 'x'"})
    assert "process 1 of 2 (counted from 0) failed: KeyError" in str(
        failure(tmp_path, 2, {0: None})
    )

    nan = {"error": "The loss became nan at step 7.", "explained": True}
    write_json(member_file(tmp_path, 1), nan)
    assert str(failure(tmp_path, 2, {0: None})) == nan["error"]
    assert "1 of 2 (counted from 0) was killed (it ended" in str(
        failure(tmp_path / "no", 2, {1: None})
    )


def test_too_little_memory_in_one_process_is_too_little_for_all(tmp_path: Path) -> None:
    left = {"error": "OutOfMemoryError: CUDA out of memory", "out_of_memory": True}
    write_json(member_file(tmp_path, 1), left)
    assert isinstance(failure(tmp_path, 2, {1: None}).__cause__, MemoryError)


def test_the_first_process_reports_for_all(tmp_path: Path) -> None:
    write_json(member_file(tmp_path, 0), {"ok": {"steps": 3}})
    assert facts_of_first(tmp_path) == {"steps": 3}
    forget_earlier(tmp_path)
    with pytest.raises(TrainingError, match="left no result"):
        facts_of_first(tmp_path)
