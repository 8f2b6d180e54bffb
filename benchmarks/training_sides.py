"""One training of each side: Sluice, TRL as it comes, LLaMA-Factory as it comes.

Each is a process of its own, with all cores that this one may use, and none has another's
environment variables. Two clocks run: the whole command's, and that from the end of the second
step to the end of the last one, in which there is no import, no loading, no checkpoint and no
evaluation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.peak_memory import PeakMemory
from benchmarks.peers import SCRIPTS, environment
from benchmarks.training_task import Task, empty, plain_environment
from sluice.child_process import EVENTS, run_module
from sluice.training.artifact import ADAPTER
from sluice.training.request import TrainingRequest

WARM_STEPS = 2  # the first steps also allocate memory
TIMEOUT_SECONDS = 3600.0
NEVER = 100_000  # steps between checkpoints: writing one belongs to no side's speed
SPARE_TOKENS_PER_ROW = 2  # whether a row ends with the template's newline differs by side
TEMPLATE = "smollm2"  # LLaMA-Factory's name of the base model's chat template
SLUICE, TRL, LLAMA_FACTORY = "sluice", "trl", "llamafactory"


@dataclass(frozen=True, slots=True)
class Steps:
    """When each optimizer step ended, in seconds on some clock, and its tokens that are no padding.

    `weights` is the type of the base's weights, where the side tells.
    """

    ends: Sequence[float]
    tokens: Sequence[int]
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Trained:
    """One finished training. `folder` holds the model in the form of Sluice's own."""

    tokens_per_second: float
    peak_memory_mb: float
    seconds: float
    steps: int
    folder: Path


def steady_speed(steps: Steps, warm: int = WARM_STEPS) -> float:
    """Tokens per second from the end of step `warm` to the end of the last one.

    Raises:
        ValueError: there is no step after the warm ones, or steps and tokens do not match.
    """
    if len(steps.ends) <= warm or len(steps.ends) != len(steps.tokens):
        raise ValueError(
            f"{len(steps.ends)} steps with {len(steps.tokens)} token counts: more than {warm} "
            "steps, and one count for each, are needed."
        )
    return sum(steps.tokens[warm:]) / (steps.ends[-1] - steps.ends[warm - 1])


def require_all_tokens(side: str, steps: Steps, task: Task) -> None:
    """Refuse a side that counted other tokens than those of the rows.

    Raises:
        RuntimeError: it did, by more than how a row may end.
    """
    counted, expected = sum(steps.tokens), task.tokens * task.settings.epochs
    spare = SPARE_TOKENS_PER_ROW * task.rows * task.settings.epochs
    if abs(counted - expected) > spare:
        raise RuntimeError(
            f"{side} counted {counted} tokens where the rows have {expected:.0f}: it did not train "
            "on the same rows, or counts padding."
        )


def train_sluice(task: Task, work: Path) -> Steps:
    """Train as `sluice run` does: the trainer's process, with the environment that it gets."""
    settings = task.with_settings(checkpoint_every_steps=NEVER).settings
    request = TrainingRequest(
        base=task.recipe.model.base,
        base_folder=str(task.base.folder),
        system_prompt=task.recipe.model.system_prompt,
        chat_template=task.recipe.model.chat_template,
        remote_code=False,
        train=str(task.parts),
        validation=str(task.parts.with_name("none")),
        settings=settings,
        start=None,
        work=str(work / "work"),
        out=str(work / "out"),
    )
    with patch.dict(os.environ, plain_environment(), clear=True):
        run_module(
            "sluice.training.worker",
            request.to_json(),
            work / "work",
            on_event=lambda event: None,
            timeout_seconds=TIMEOUT_SECONDS,
        )
    return steps_of_events((work / "work" / EVENTS).read_text(encoding="utf-8").splitlines())


def steps_of_events(lines: Sequence[str]) -> Steps:
    """The steps in a training's events, which tell the tokens so far."""
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    steps = [event for event in events if event["kind"] == "step"]
    so_far = [0, *(int(event["tokens"]) for event in steps)]
    tokens = [after - before for before, after in pairwise(so_far)]
    return Steps([float(event["seconds"]) for event in steps], tokens)


def train_peer(
    python: Callable[[], Path],
    script: str,
    precision: str,
    task: Task,
    work: Path,
) -> Steps:
    """Train with a peer's script; `precision` is `default`, or what the script knows beside it.

    Raises:
        RuntimeError: it failed; the end of what it said is in the message.
    """
    settings = task.settings
    request: dict[str, Any] = {
        "base": str(task.base.folder if script == "train_trl.py" else task.older_base),
        "rows": str(task.lines),
        "out": str(work / "out" / ADAPTER),
        "notes": str(work / "notes.json"),
        "work": str(work),
        "template": TEMPLATE,
        "precision": precision,
        "learning_rate": settings.rate,
        **settings.model_dump(
            include={"batch_size", "epochs", "scheduler", "warmup_ratio", "weight_decay"}
        ),
        **settings.model_dump(include={"rank", "alpha", "seed"}),
    }
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    with (work / "log.txt").open("wb") as log:
        ended = subprocess.run(
            [str(python()), str(SCRIPTS / script), str(work / "request.json")],
            env=plain_environment()
            | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(work / "datasets")},
            cwd=work,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    if ended.returncode != 0:
        said = (work / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{script} ended with {ended.returncode}: {said}")
    told: dict[str, Any] = json.loads((work / "notes.json").read_text(encoding="utf-8"))
    return Steps(told["step_ends"], told["tokens"], told["weights"])


def this_python() -> Path:
    """TRL is one of our own dependencies: it runs in our environment."""
    return Path(sys.executable)


Side = Callable[[Task, Path], Steps]
SIDES: dict[str, Side] = {
    SLUICE: train_sluice,
    TRL: partial(train_peer, this_python, "train_trl.py", "default"),
    LLAMA_FACTORY: partial(
        train_peer, partial(environment, LLAMA_FACTORY), "train_llamafactory.py", "default"
    ),
    # Not one of its defaults, but what its example files ask for.
    f"{LLAMA_FACTORY}, bf16": partial(
        train_peer, partial(environment, LLAMA_FACTORY), "train_llamafactory.py", "bf16"
    ),
}
MEASURED = (SLUICE, TRL, LLAMA_FACTORY)


def trained(name: str, task: Task, work: Path) -> Trained:
    """One training of a side, measured.

    Raises:
        RuntimeError: it failed, or did not train on all the rows' tokens.
    """
    started = time.monotonic()
    with PeakMemory() as memory:
        steps = SIDES[name](task, empty(work))
    seconds = time.monotonic() - started
    require_all_tokens(name, steps, task)
    result = Trained(
        tokens_per_second=steady_speed(steps),
        peak_memory_mb=memory.megabytes,
        seconds=seconds,
        steps=len(steps.ends),
        folder=work / "out",
    )
    sys.stderr.write(
        f"{name}: {result.tokens_per_second:.0f} tokens/s, {result.peak_memory_mb:.0f} MB, "
        f"{seconds:.0f} s, {result.steps} steps {steps.weights}\n"
    )
    return result
