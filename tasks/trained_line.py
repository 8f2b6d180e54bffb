"""What a finished training says of itself in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.child_process import Event
from sluice.refs import ModelRef


def trained_line(model: ModelRef, facts: dict[str, Any], history: Sequence[Event]) -> str:
    """Method, steps, loss of the first step and of the last, and the model's digest.

    Args:
        model: what was trained.
        facts: the facts `training` of its manifest.
        history: the events of its training.
    """
    parts = [model.method, f"{facts['steps']} steps", *_kept(facts), *_losses(history)]
    return ", ".join([*parts, *_replayed(facts), f"model {model.digest[:12]}"])


def _kept(facts: dict[str, Any]) -> list[str]:
    kept = facts.get("kept_step", facts["steps"])
    return [f"the weights of step {kept}"] if kept != facts["steps"] else []


def _losses(history: Sequence[Event]) -> list[str]:
    losses = [float(event["loss"]) for event in history if event.get("kind") == "step"]
    return [f"loss {losses[0]:.2f} → {losses[-1]:.2f}"] if losses else []


def _replayed(facts: dict[str, Any]) -> list[str]:
    counts: dict[str, int] = facts.get("replay") or {}
    told = [f"{counts[kind]} {kind}" for kind in ("new", "older", "general") if counts.get(kind)]
    return [f"{' + '.join(told)} rows"] if told else []
