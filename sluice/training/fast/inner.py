"""The model beneath an adapter."""

from __future__ import annotations

from typing import Any


def inner_model(model: Any) -> Any:
    """The model of transformers' own, beneath an adapter if there is one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
