"""The sizes of a base model, read from its folder without loading it."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import BaseModelError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes in numbers, not bytes.

    `keys` is the size of all keys of a layer (fewer than `hidden` where heads share them),
    `feed_forward` that of the inner vectors, `embeddings` the parameters of embeddings and head.
    """

    parameters: int
    layers: int
    hidden: int
    keys: int
    feed_forward: int
    vocabulary: int
    embeddings: int

    @property
    def linear_ends(self) -> int:
        """Inputs and outputs of a layer's seven linear maps, added: LoRA's size for rank 1."""
        queries = outputs = 2 * self.hidden
        keys_and_values = 2 * (self.hidden + self.keys)
        return queries + outputs + keys_and_values + 3 * (self.hidden + self.feed_forward)


def shape_of(folder: Path) -> ModelShape:
    """The shape of the model in a folder: sizes of its config.json, parameters of its weights.

    Raises:
        BaseModelError: the folder's files do not say what the sizes are.
    """
    try:
        whole: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config: dict[str, Any] = whole.get("text_config") or whole
        hidden, vocabulary = int(config["hidden_size"]), int(config["vocab_size"])
        heads = int(config["num_attention_heads"])
        head = int(config.get("head_dim") or hidden // heads)
        tied = bool(config.get("tie_word_embeddings", whole.get("tie_word_embeddings", True)))
        return ModelShape(
            parameters=_parameters(folder),
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            keys=int(config.get("num_key_value_heads") or heads) * head,
            feed_forward=int(config.get("intermediate_size") or 4 * hidden),
            vocabulary=vocabulary,
            embeddings=hidden * vocabulary * (1 if tied else 2),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BaseModelError(
            f"{folder}: the model's sizes cannot be read ({type(error).__name__}: {error})."
        ) from error


def _parameters(folder: Path) -> int:
    """Numbers in all safetensors files; only their headers are read.

    Source: the format's description (huggingface/safetensors): eight bytes of length, then JSON.
    """
    count = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(length))
        count += sum(
            math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
        )
    return count
