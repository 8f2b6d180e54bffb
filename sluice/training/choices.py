"""What is chosen by hardware, and why: said in the events, so that nobody has to guess.

What the recipe says is taken; where it says `auto`, the machine and the size of the work decide.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.hardware import Machine, probed
from sluice.training.launch import group
from sluice.training.loading import use_threads
from sluice.training.memory import trained_parameters
from sluice.training.memory_choice import SAID, Why, Work, fitting
from sluice.training.methods.catalogue import METHODS

COMPILE_SECONDS = 120.0  # a few minutes at most; for one decoder layer, compiled once
COMPILE_GAIN = 0.1  # of the time; an assumption, not measured
# Floating-point operations per second that a training reaches, in order of size only.
REACHED = {"cuda": 1e14, "cpu": 1e11}


@dataclass(frozen=True, slots=True)
class Choices:
    """`device` is cpu or cuda; `precision` fp32 or bf16; `optimizer` is a transformers name.

    `attention` is transformers' name of an implementation; `padding_free` says that rows may lie
    one behind the other in a batch without seeing each other; `tf32` that fp32 products may be
    rounded to 10 bits of mantissa on a GPU.
    """

    device: str
    precision: str
    threads: int
    gradient_checkpointing: bool
    optimizer: str
    compile: bool
    tf32: bool
    attention: str
    padding_free: bool
    reasons: tuple[Why, ...]

    def to_json(self) -> dict[str, Any]:
        """The choices as a JSON-ready dictionary."""
        return asdict(self)


def choose(settings: TrainingSection, work: Work | None = None) -> Choices:
    """What to train with on this machine, for this work if it is known. Sets the CPU threads.

    Raises:
        TrainingError: the recipe asks for what this machine does not have.
    """
    choices = decided(settings, probed(group.count_here()), work)
    use_threads(choices.threads)
    return choices


def decided(
    settings: TrainingSection, machine: Machine, work: Work | None, *, isolated: bool = False
) -> Choices:
    """What to train with on a machine; nothing is looked up or set.

    Args:
        settings: the recipe's; what it says itself is never changed.
        machine: what is there.
        work: None: not known, so that nothing is chosen by its size.
        isolated: rows without padding can be kept apart without flash attention.

    Raises:
        TrainingError: the recipe asks for what the machine does not have.
    """
    precision, attention = _precision(settings, machine), _attention(settings, machine)
    threads = _threads(settings, machine)
    optimizer, checkpointing = fitting(settings, machine, work, precision.taken)
    compiled = _compile(settings, machine, work)
    before = METHODS[settings.method].before_prompt
    padding = _padding(attention.taken, isolated=isolated, before_prompt=before)
    tf32 = machine.capability is not None and machine.capability >= (8, 0)
    reasons = (precision, attention, padding, threads, optimizer, checkpointing, compiled)
    return Choices(
        device=machine.device,
        precision=precision.taken,
        threads=int(threads.taken),
        gradient_checkpointing=checkpointing.taken == "on",
        optimizer=_OPTIMIZERS[optimizer.taken],
        compile=compiled.taken == "on",
        tf32=tf32 and precision.taken == "fp32",
        attention=attention.taken,
        padding_free=padding.taken == "off",
        reasons=reasons,
    )


def without_padding(choices: Choices) -> Choices:
    """The choices of a training whose trainer keeps rows apart by our own attention."""
    padding = _padding(choices.attention, isolated=True)
    reasons = (padding if why.about == padding.about else why for why in choices.reasons)
    return replace(choices, padding_free=True, reasons=tuple(reasons))


_OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}


def _precision(settings: TrainingSection, machine: Machine) -> Why:
    if settings.precision != "auto":
        return Why("precision", settings.precision, SAID)
    if machine.computes_bf16:
        return Why("precision", "bf16", f"this {machine.device} multiplies bf16 itself")
    return Why("precision", "fp32", f"this {machine.device} would only emulate bf16")


def _attention(settings: TrainingSection, machine: Machine) -> Why:
    if machine.capability is None:
        return Why("attention", "sdpa", "flash attention's package needs a GPU")
    if machine.capability < (8, 0):
        return Why("attention", "sdpa", "flash attention needs compute capability 8.0")
    if settings.precision == "fp32" or not machine.flash_attention:
        reason = "flash attention computes in 16 bits only"
        if settings.precision != "fp32":
            reason = "flash attention's package is not installed"
        return Why("attention", "sdpa", reason)
    if 3 in machine.flash_attention and machine.capability[0] == 9:
        return Why("attention", "flash_attention_3", "a Hopper GPU, and its package is installed")
    if 2 in machine.flash_attention:
        return Why("attention", "flash_attention_2", "its package is installed")
    return Why("attention", "sdpa", "version 3 of flash attention needs a Hopper GPU (9.0)")


def _padding(attention: str, *, isolated: bool, before_prompt: bool = False) -> Why:
    if before_prompt:  # PEFT drops the position ids that would tell rows apart
        return Why("padding", "on", "what is learned stands before each row")
    if attention.startswith("flash_attention"):
        return Why("padding", "off", "flash attention keeps rows apart by their lengths")
    if isolated:
        return Why("padding", "off", "our own attention keeps rows apart by their lengths")
    return Why("padding", "on", "without it, rows in one batch would see each other")


def _threads(settings: TrainingSection, machine: Machine) -> Why:
    if settings.threads is not None:
        return Why("threads", str(settings.threads), SAID)
    share = max(1, machine.cores // machine.processes)
    if machine.processes > 1:
        reason = f"{machine.cores} cores, shared by {machine.processes} processes"
        return Why("threads", str(share), reason)
    return Why("threads", str(share), "all cores that this process may use")


def _compile(settings: TrainingSection, machine: Machine, work: Work | None) -> Why:
    if settings.compile != "auto":
        if settings.compile == "on" and not machine.compiler:
            raise TrainingError(
                "`training.compile: on` needs a C++ compiler, and none is installed here. Install "
                "g++, or set it to `auto`."
            )
        return Why("compile", settings.compile, SAID)
    if not machine.gpus:
        return Why("compile", "off", "not shown to pay on CPUs, where rows differ in length")
    if not machine.compiler or work is None:
        reason = "the size of the work is not known" if machine.compiler else "no C++ compiler here"
        return Why("compile", "off", reason)
    won = _seconds(settings, machine, work) * COMPILE_GAIN
    taken = "on" if won > COMPILE_SECONDS else "off"
    return Why("compile", taken, f"it would win about {won:.0f} s of {COMPILE_SECONDS:.0f} s spent")


def _seconds(settings: TrainingSection, machine: Machine, work: Work) -> float:
    """Rough length of the training: 2 operations for each parameter and token forwards, 2 back
    through the model, and 2 for what is trained (Kaplan et al. 2020, section 2.1)."""
    operations = 4 * work.shape.parameters + 2 * trained_parameters(work.shape, settings)
    processes = settings.launcher.processes
    return operations * work.tokens / (REACHED[machine.device] * processes)
