"""Find the layers of a model that a method works on, whatever the architecture calls them.

PEFT knows such names for some architectures only; these are found by structure.

Experts whose weights are one tensor for all of them are no linear layers. Mixtral's and Qwen's stay
as they are; DeepSeek-V3's have names that its linear layers have too, and PEFT then adapts them in
place of those. It can do so with plain LoRA without dropout only (`refused_experts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
import transformers.pytorch_utils

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection

Conv1D: Any = transformers.pytorch_utils.Conv1D  # GPT-2's linear layer; typed in part only
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
# What holds keys or values, alone or fused with the queries, by the names architectures use.
_KEYS_OR_VALUES = re.compile(r"^[kv](_|$)|kv|key|value|c_attn|pack", re.IGNORECASE)
_SHOWN = 20


def linear_layers(model: Any) -> list[str]:
    """Names of all linear layers but the head, as short as they are unambiguous, sorted."""
    return _short(_linear(model), model)


def key_value_layers(model: Any) -> tuple[list[str], list[str]]:
    """The layers of IA3: key and value projections, and second feed-forward layers.

    Raises:
        TrainingError: the architecture has none that can be told by name and shape.
    """
    linear = _linear(model)
    attention = [name for name in linear if _ATTENTION.search(name.rpartition(".")[0])]
    keys_values = [name for name in attention if _KEYS_OR_VALUES.search(_leaf(name))]
    second = [name for name in linear if name not in attention and _shrinks(model, name)]
    if not keys_values or not second:
        raise TrainingError(
            "IA3 needs key and value projections and second feed-forward layers, and they could "
            f"not be told apart in {type(model).__name__}. Name them in "
            f"`training.target_modules`; its linear layers are {_listed(linear_layers(model))}."
        )
    return _short(keys_values, model), _short(second, model)


def named_layers(model: Any, wanted: tuple[str, ...]) -> list[str]:
    """The recipe's own names, once each of them names a linear layer that can be adapted.

    Raises:
        TrainingError: a name fits no layer, one that is not linear, or the head.
    """
    linear = _linear(model)
    head = _head_name(model)
    if head and any(_fits(head, name) for name in wanted):
        raise TrainingError(
            f"`training.target_modules` names the head ({head}). The loss is computed from its "
            "weight directly, so that an adapter on it would never be trained. Take it out, or "
            "train the head whole with `method: hybrid`."
        )
    unknown = [name for name in wanted if not any(_fits(layer, name) for layer in linear)]
    if unknown:
        raise TrainingError(
            f"{len(unknown)} of {len(wanted)} `training.target_modules` name no linear layer of "
            f"{type(model).__name__}: {', '.join(unknown)}. It has "
            f"{_listed(linear_layers(model))}."
        )
    return sorted(set(wanted))


def transposed(model: Any, names: list[str]) -> bool:
    """Whether these layers keep their weights as GPT-2 does: a row for each input."""
    return any(
        isinstance(module, Conv1D) and any(_fits(found, name) for name in names)
        for found, module in model.named_modules()
    )


def second_of(model: Any, names: list[str]) -> list[str]:
    """Those of some layer names whose layers give fewer numbers than they take: IA3's inputs."""
    found = _linear(model)
    return [n for n in names if all(_second(model, x) for x in found if _fits(x, n))]


def refused_experts(model: Any, settings: TrainingSection, others: Iterable[str]) -> TrainingError:
    """Why a kind of LoRA cannot be put on a model's fused experts, and what to take instead.

    Args:
        others: the layers that got an adapter beside the experts.
    """
    dropout = f" with `dropout: {settings.dropout:g}`" if settings.dropout else ""
    return TrainingError(
        f"`training.method: {settings.method}`{dropout} cannot train the experts of "
        f"{type(model).__name__}: their weights lie together in one tensor, beside which only "
        "plain LoRA without dropout can stand. Take `method: lora` with `dropout: 0`, or leave "
        f"the experts out: `target_modules: [{', '.join(sorted(others))}]`."
    )


def _second(model: Any, name: str) -> bool:
    return not _ATTENTION.search(name.rpartition(".")[0]) and _shrinks(model, name)


def _linear(model: Any) -> list[str]:
    head = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head
    ]


def _head_name(model: Any) -> str | None:
    head = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is head), None)


def _shrinks(model: Any, name: str) -> bool:
    layer = model.get_submodule(name)
    width: int = model.config.get_text_config().hidden_size
    if isinstance(layer, torch.nn.Linear):
        taken, given = layer.in_features, layer.out_features
    else:
        taken, given = layer.weight.shape
    return given == width and taken != width


def _short(names: list[str], model: Any) -> list[str]:
    # The last part of a name is enough, unless it is the head's or an embedding's too.
    others = [name for name, _ in model.named_modules() if name and name not in names]
    leaves = {_leaf(name) for name in names}
    ambiguous = {leaf for leaf in leaves if any(_fits(other, leaf) for other in others)}
    return sorted((leaves - ambiguous) | {name for name in names if _leaf(name) in ambiguous})


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _fits(layer: str, name: str) -> bool:
    return layer == name or layer.endswith(f".{name}")  # as PEFT compares them


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
