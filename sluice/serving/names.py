"""The names that requests ask for: the served name, `base`, and `name@version`."""

from __future__ import annotations

from collections.abc import Callable

from sluice.serving.engine import BASE
from sluice.serving.pointer import Served
from sluice.serving.refusal import RefusedError


def served_name(model: str, version: str) -> str:
    """How a version is named in requests and answers: `model@version`, or `base`."""
    return BASE if version == BASE else f"{model}@{version}"


def asked_version(
    asked: str, model: str, champion: Callable[[], Served], loaded: frozenset[str], *, base: bool
) -> str:
    """The version that a request's `model` means.

    Args:
        asked: what the request names.
        model: the served name.
        champion: called where the served name itself was asked for.
        loaded: versions in memory.
        base: whether the base model is served.

    Raises:
        RefusedError: nothing is served under that name, or there is no champion yet.
    """
    if asked == model:
        return champion().version
    if asked == BASE and base:
        return BASE
    name, _, version = asked.rpartition("@")
    if name == model and version in loaded:
        return version
    known = known_names(model, loaded, base=base)
    raise RefusedError(
        404,
        "model_not_found",
        f"There is no model {asked!r} here. Served are: {', '.join(known)}.",
    )


def known_names(model: str, loaded: frozenset[str], *, base: bool) -> list[str]:
    """All names that requests may ask for."""
    return [model, *([BASE] if base else []), *(served_name(model, v) for v in sorted(loaded))]
