"""The most tokens per second that this machine's matrix products allow, measured.

A training cannot be faster than its matrix products alone. Per token of a LoRA training they are,
in multiply-adds counted as two operations each:

    4 * N + 4 * V * H * a

N are the weights of the linear layers between embedding and head: 2N forward, and 2N to bring the
gradient back through them; the frozen weights need no gradient of their own (6N with them, in
Kaplan et al. 2020, section 2.1). The head, V x H, is needed for the share `a` of tokens that are
of an answer. Attention among few tokens and the adapters themselves are left out: they are a few
hundredths, so the limit is a little lower than what is printed.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

SHAPES = {
    # name: rows, inner, columns. The first are those of SmolLM2-135M on a batch of 540 tokens.
    "attention": (540, 576, 576),
    "feed forward, in": (540, 576, 1536),
    "feed forward, out": (540, 1536, 576),
    "big": (2048, 4096, 4096),
}
LIMIT = "big bf16"
TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
SECONDS_PER_SHAPE = 1.0


def measured_flops() -> dict[str, float]:
    """Operations per second of matrix products, by shape and number type; medians."""
    return {
        f"{name} {kind}": _flops(shape, dtype)
        for name, shape in SHAPES.items()
        for kind, dtype in TYPES.items()
    }


def _flops(shape: tuple[int, int, int], dtype: torch.dtype) -> float:
    rows, inner, columns = shape
    left = torch.randn(rows, inner).to(dtype)
    weight = torch.randn(columns, inner).to(dtype)  # as a linear layer keeps it
    linear: Any = torch.nn.functional.linear
    spent: list[float] = []
    linear(left, weight)
    begin = time.perf_counter()
    while time.perf_counter() - begin < SECONDS_PER_SHAPE or len(spent) < 5:
        started = time.perf_counter()
        linear(left, weight)
        spent.append(time.perf_counter() - started)
    return 2 * rows * inner * columns / statistics.median(spent)


def medians(measurements: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of several measurements in one run, the median of each shape."""
    return {
        name: statistics.median(found[name] for found in measurements) for name in measurements[0]
    }


def body_weights(config: dict[str, Any]) -> int:
    """N of a Llama's `config.json`: the weights of all linear layers but embedding and head."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads, keys = int(config["num_attention_heads"]), int(config["num_key_value_heads"])
    narrow = hidden * keys // heads
    attention = 2 * hidden * hidden + 2 * hidden * narrow  # query and output, key and value
    return int(config["num_hidden_layers"]) * (attention + 3 * hidden * inner)


def flops_per_token(base: Path, answer_share: float) -> float:
    """What the module's formula gives for a base model's folder."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    head = int(config["vocab_size"]) * int(config["hidden_size"])
    return 4.0 * body_weights(config) + 4.0 * head * answer_share


def limit_share(tokens_per_second: float, per_token: float, flops: float) -> float:
    """How much of the matrix products' limit a training reached: 1 is all of it."""
    return tokens_per_second * per_token / flops
