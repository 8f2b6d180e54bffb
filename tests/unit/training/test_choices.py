"""What is chosen on machines that need not exist, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.arguments import arguments_of
from sluice.training.choices import Choices, choose, decided, without_padding
from sluice.training.hardware import Machine, probed
from sluice.training.memory_choice import Work
from sluice.training.model_shape import ModelShape

SEVEN_B = ModelShape(
    parameters=7_615_616_512,
    layers=28,
    hidden=3584,
    keys=512,
    feed_forward=18944,
    vocabulary=152064,
    embeddings=2 * 152064 * 3584,
)
WORK = Work(SEVEN_B, longest=1024, tokens=1e8)
LAPTOP = Machine(cores=8, memory=12 * 10**9)
SERVER = Machine(
    cores=64,
    memory=500 * 10**9,
    cpu_flags=frozenset({"amx_bf16", "avx512_bf16"}),
    compiler=True,
)
T4 = Machine(cores=8, memory=30 * 10**9, gpus=1, gpu_memory=15 * 10**9, capability=(7, 5))
A100 = replace(
    SERVER,
    gpus=1,
    gpu_memory=80 * 10**9,
    capability=(8, 0),
    flash_attention=(2,),
    cpu_flags=SERVER.cpu_flags,
)
H100 = replace(A100, capability=(9, 0), flash_attention=(2, 3))


def chosen(machine: Machine, work: Work | None = WORK, **settings: Any) -> Choices:
    return decided(TrainingSection(**settings), machine, work)


def reason(choices: Choices, about: str) -> str:
    return next(why.reason for why in choices.reasons if why.about == about)


@pytest.mark.parametrize(
    ("machine", "device", "precision"),
    [
        (LAPTOP, "cpu", "fp32"),
        (SERVER, "cpu", "bf16"),
        (T4, "cuda", "fp32"),  # PyTorch says that it supports bf16, and emulates it
        (A100, "cuda", "bf16"),
    ],
)
def test_bf16_is_taken_where_the_hardware_multiplies_it(
    machine: Machine, device: str, precision: str
) -> None:
    choices = chosen(machine)
    assert (choices.device, choices.precision) == (device, precision)


def test_flash_attention_needs_a_new_gpu_its_package_and_16_bits() -> None:
    assert chosen(A100).attention == "flash_attention_2"
    assert chosen(H100).attention == "flash_attention_3"
    assert chosen(replace(A100, flash_attention=(3,))).attention == "sdpa"
    assert chosen(replace(A100, flash_attention=())).attention == "sdpa"
    assert chosen(replace(T4, flash_attention=(2,))).attention == "sdpa"
    assert chosen(A100, precision="fp32").attention == "sdpa"
    assert chosen(SERVER).attention == "sdpa"


def test_rows_lie_without_padding_only_where_they_do_not_see_each_other() -> None:
    assert chosen(A100).padding_free
    assert not chosen(SERVER).padding_free
    assert decided(TrainingSection(), SERVER, WORK, isolated=True).padding_free
    assert "see each other" in reason(chosen(SERVER), "padding")


def test_where_our_own_attention_trains_the_padding_is_said_to_be_off() -> None:
    before = chosen(SERVER)
    choices = without_padding(before)
    assert choices.padding_free
    assert "our own attention" in reason(choices, "padding")
    others = [[w for w in c.reasons if w.about != "padding"] for c in (before, choices)]
    assert others[0] == others[1]


def test_activations_are_computed_once_where_the_method_needs_that() -> None:
    tight = replace(A100, gpu_memory=24 * 10**9)
    assert chosen(tight, batch_size=4).gradient_checkpointing
    assert not chosen(tight, batch_size=4, method="prefix").gradient_checkpointing
    assert not chosen(tight, method="prefix", gradient_checkpointing="off").gradient_checkpointing
    for optimizer in ("auto", "adamw"):
        with pytest.raises(TrainingError, match="on` cannot be with `method: prefix`"):
            chosen(tight, method="prefix", gradient_checkpointing="on", optimizer=optimizer)


def test_fp32_products_are_rounded_on_new_gpus_only() -> None:
    assert chosen(A100, precision="fp32").tf32
    assert not chosen(A100).tf32  # bf16 needs none
    assert not chosen(T4).tf32
    assert not chosen(SERVER, precision="fp32").tf32


def test_activations_are_computed_twice_only_where_memory_needs_it() -> None:
    roomy = chosen(A100, batch_size=1)
    assert not roomy.gradient_checkpointing
    assert "80.0 GB free" in reason(roomy, "gradient checkpointing")
    tight = chosen(replace(A100, gpu_memory=24 * 10**9), batch_size=4)
    assert tight.gradient_checkpointing
    assert tight.optimizer == "adamw_torch_fused"
    assert "without it about" in reason(tight, "gradient checkpointing")


def test_the_optimizer_is_rounded_only_where_nothing_else_fits() -> None:
    full = chosen(replace(A100, gpu_memory=150 * 10**9), method="full", batch_size=1)
    assert (full.optimizer, full.gradient_checkpointing) == ("adamw_torch_fused", True)
    tight = chosen(A100, method="full", batch_size=1)
    assert tight.optimizer == "paged_adamw_8bit"
    on_cpu = chosen(replace(SERVER, memory=80 * 10**9), method="full", batch_size=1)
    assert on_cpu.optimizer == "adamw_8bit"


def test_what_fits_nowhere_takes_the_least_and_says_so() -> None:
    choices = chosen(T4, method="full")
    assert choices.gradient_checkpointing
    assert "may not suffice" in reason(choices, "optimizer")


def test_what_the_recipe_says_is_never_changed() -> None:
    said: dict[str, Any] = {
        "precision": "bf16",
        "optimizer": "adamw",
        "gradient_checkpointing": "off",
        "compile": "off",
        "threads": 3,
    }
    choices = chosen(replace(LAPTOP, memory=10**9), method="full", **said)
    assert choices.precision == "bf16"
    assert choices.optimizer == "adamw_torch_fused"
    assert not choices.gradient_checkpointing
    assert not choices.compile
    assert choices.threads == 3
    assert reason(choices, "optimizer") == reason(choices, "threads") == "the recipe says so"


def test_what_the_machine_has_not_is_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match="Take `adamw_8bit`"):
        chosen(SERVER, optimizer="paged_adamw_8bit")
    with pytest.raises(TrainingError, match=r"Install g\+\+"):
        chosen(LAPTOP, compile="on")


def test_layers_are_compiled_where_the_training_is_long_enough() -> None:
    assert chosen(A100).compile
    assert not chosen(A100, Work(SEVEN_B, 1024, 1e5)).compile
    assert not chosen(A100, None).compile
    assert not chosen(SERVER).compile
    assert chosen(SERVER, compile="on").compile


def test_processes_share_cores_and_memory() -> None:
    shared = chosen(replace(SERVER, processes=8, memory=160 * 10**9), batch_size=1)
    assert shared.threads == 8
    assert "shared by 8 processes" in reason(shared, "threads")
    assert "20.0 GB free" in reason(shared, "optimizer")


def test_every_choice_says_why_on_this_machine_too() -> None:
    machine = probed()
    assert machine.cores >= 1
    assert machine.memory > 0
    choices = choose(TrainingSection(threads=1))
    assert len({why.about for why in choices.reasons}) == len(choices.reasons) == 7
    assert all(why.reason for why in choices.reasons)
    assert choices.to_json()["threads"] == 1


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")  # transformers
def test_what_is_chosen_is_what_the_trainer_is_told(tmp_path: Path) -> None:
    for machine, settings in ((SERVER, {"compile": "on"}), (SERVER, {"compile": "off"})):
        section = TrainingSection.model_validate(settings)
        choices = decided(section, machine, WORK)
        told = arguments_of(section, choices, tmp_path, has_validation=False)
        assert (told.torch_compile, told.padding_free) == (choices.compile, choices.padding_free)
    free = decided(TrainingSection(), SERVER, WORK, isolated=True)
    assert arguments_of(TrainingSection(), free, tmp_path, has_validation=False).padding_free


def test_rows_with_vectors_before_them_are_padded_on_any_machine() -> None:
    assert not chosen(A100, method="prompt").padding_free
    assert "stands before each row" in reason(chosen(A100, method="prefix"), "padding")
