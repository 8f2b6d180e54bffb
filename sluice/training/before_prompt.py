"""What methods put before a prompt: prompt tuning and P-Tuning vectors, prefix tuning a cache.

Both take room in the context. Vectors are also positions of the sequence that the model computes
on: its logits begin with theirs, and PEFT numbers them together with a batch's padding.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator
from typing import Any, cast

from peft import PeftModel, PeftType

IN_SEQUENCE = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)


def room_before(model: Any) -> int:
    """How many positions of the context are taken before a prompt begins."""
    settings = _settings(model)
    return int(settings.num_virtual_tokens) if settings and settings.is_prompt_learning else 0


def vectors_before(model: Any) -> int:
    """How many positions the sequence is longer than its token ids, at its front."""
    settings = _settings(model)
    return room_before(model) if settings and settings.peft_type in IN_SEQUENCE else 0


@contextlib.contextmanager
def generating(model: Any) -> Generator[None]:
    """While a model generates: PEFT warns that it numbers positions itself, which is known here."""
    if not vectors_before(model):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Position ids are not supported")
        yield


def _settings(model: Any) -> Any:
    return cast("Any", model).active_peft_config if isinstance(model, PeftModel) else None
