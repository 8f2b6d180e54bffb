"""The bytes of many texts, as Arrow holds them."""

from __future__ import annotations

from typing import Any

import numpy as np


def bytes_of(texts: Any) -> tuple[Any, Any]:
    """The UTF-8 bytes of an Arrow string array, and the offsets of its texts in them."""
    _, offsets, data = texts.buffers()
    numbers = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    octets = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return octets, numbers.astype(np.int64)
