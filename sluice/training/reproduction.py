"""Is a model that was trained again the same one, and if not, how far off is it, and why?

`provenance` says what the first training ran on and with; the second has one of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import safetensors

from sluice.data.json_lines import read_json_lines
from sluice.lake import Lake
from sluice.refs import DatasetRef, ModelRef
from sluice.training.artifact import ADAPTER, PROBE, WEIGHTS
from sluice.training.provenance import PROVENANCE
from sluice.training.train import history_file

safe_open: Any = safetensors.safe_open  # typed in part only
# In the order in which they are made, so that the first that differs is where to look.
STAGES = ("raw", "checked", "cleaned", "compared", "curated", "contracted")
TOLD_APART = frozenset({"data", "dataset"})  # their digests are compared stage by stage


@dataclass(frozen=True, slots=True)
class Off:
    """How far the second model is from the first: largest absolute differences.

    `weights` are those that were trained, `logits` those of the fixed prompts, `validation_loss`
    the last one. Infinite where something has another name or shape, or is on one side only; NaN
    where a number is NaN; None of a validation that neither has.
    """

    weights: float
    logits: float
    validation_loss: float | None

    def within(self, tolerance: float) -> bool:
        """Whether all of them are at most `tolerance`; NaN is not."""
        told = (self.weights, self.logits, self.validation_loss or 0.0)
        return all(one <= tolerance for one in told)


@dataclass(frozen=True, slots=True)
class Changed:
    """A recorded fact that is another now. None: it is not there."""

    name: str
    then: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of training a version again.

    `stages` tells for each stage of the data whether all its digests are the same. `off` is None
    where the models are equal byte for byte.
    """

    version: str
    model: str
    made: str
    stages: tuple[tuple[str, bool], ...]
    off: Off | None
    changed: tuple[Changed, ...]
    tolerance: float

    @property
    def reproduced(self) -> bool:
        """Whether it is the same model, to the tolerance."""
        return self.off is None or self.off.within(self.tolerance)

    @property
    def first_other(self) -> str | None:
        """The first stage of the data that came out otherwise."""
        return next((name for name, same in self.stages if not same), None)

    def to_json(self) -> dict[str, Any]:
        """The outcome as a JSON-ready dictionary. What is not finite is a word, as JSON asks."""
        off = {name: _finite(value) for name, value in asdict(self.off).items()} if self.off else {}
        return {
            "version": self.version,
            "reproduced": self.reproduced,
            "equal": self.off is None,
            "model": self.model,
            "made": self.made,
            "data": dict(self.stages),
            "largest_difference": off,
            "tolerance": self.tolerance,
            "changed": [asdict(one) for one in self.changed],
        }


def compare(
    version: str, first: tuple[Lake, ModelRef], second: tuple[Lake, ModelRef], tolerance: float
) -> Reproduction:
    """Compare a registered model with the one that was made again, each in its lake."""
    then, now = (lake.manifest(model)[PROVENANCE] for lake, model in (first, second))
    equal = first[1].digest == second[1].digest
    return Reproduction(
        version=version,
        model=first[1].digest,
        made=second[1].digest,
        stages=compared_stages(then["data"], now["data"]),
        off=None if equal else _off(first, second),
        changed=tuple(changed_facts(then, now)),
        tolerance=tolerance,
    )


def compared_stages(
    then: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[tuple[str, bool], ...]:
    """For each stage of the data whether it has the same digests, in the same order."""
    return tuple((stage, _digests(then[stage]) == _digests(now[stage])) for stage in STAGES)


def changed_facts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Changed]:
    """The recorded facts that differ, by their dotted names; the data is compared by itself."""
    before = dict(_leaves({k: v for k, v in then.items() if k not in TOLD_APART}, ""))
    after = dict(_leaves({k: v for k, v in now.items() if k not in TOLD_APART}, ""))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Changed(name, before.get(name), after.get(name))


def largest_difference(first: Path, second: Path) -> float:
    """The largest absolute difference between the tensors of two files, or of two folders of them.

    Read one tensor at a time, so that two models need not fit in memory. Infinite if one has a
    tensor that the other has not, or of another shape; NaN if any number is NaN.
    """
    mine, other = _tensors(first), _tensors(second)
    if not mine or mine.keys() != other.keys():
        return math.inf
    found = [_difference(mine[name], other[name], name) for name in mine]
    return math.nan if any(math.isnan(one) for one in found) else max(found)


def _off(first: tuple[Lake, ModelRef], second: tuple[Lake, ModelRef]) -> Off:
    mine, other = (lake.path(model) for lake, model in (first, second))
    return Off(
        weights=largest_difference(_trained(mine), _trained(other)),
        logits=largest_difference(mine / PROBE, other / PROBE),
        validation_loss=_apart(_last_validation(*first), _last_validation(*second)),
    )


def _trained(folder: Path) -> Path:
    return folder / (WEIGHTS if (folder / WEIGHTS).is_dir() else ADAPTER)


def _tensors(path: Path) -> dict[str, Path]:
    """The file of each tensor, by the tensor's name."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    found: dict[str, Path] = {}
    for file in files:
        with safe_open(str(file), framework="pt") as tensors:
            found |= dict.fromkeys(tensors.keys(), file)
    return found


def _difference(first: Path, second: Path, name: str) -> float:
    with safe_open(str(first), "pt") as mine, safe_open(str(second), "pt") as other:
        one, two = mine.get_tensor(name), other.get_tensor(name)
        if one.shape != two.shape:
            return math.inf
        # As float64: the difference of two bf16 numbers need not be one.
        return float((one.double() - two.double()).abs().max()) if one.numel() else 0.0


def _last_validation(lake: Lake, model: ModelRef) -> float | None:
    path = history_file(lake, model)
    events = read_json_lines(path) if path.exists() else []
    losses = [float(event["loss"]) for event in events if event.get("kind") == "validation"]
    return losses[-1] if losses else None


def _apart(first: float | None, second: float | None) -> float | None:
    if first is None and second is None:
        return None
    return math.inf if first is None or second is None else abs(first - second)


def _digests(refs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [DatasetRef.from_json(dict(ref)).digest for ref in refs]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, one in cast("dict[str, Any]", value).items():
            yield from _leaves(one, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _finite(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
