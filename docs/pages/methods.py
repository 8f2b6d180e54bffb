"""docs/reference/methods.md: what each training method learns, keeps and allows."""

from __future__ import annotations

from pages.markdown import NOTE, table
from sluice.recipe import USUAL_RATES, Method
from sluice.training.methods.catalogue import METHODS, MethodSpec


def methods_page() -> str:
    """The whole page."""
    parts = [
        NOTE,
        "# Training methods\n",
        "`training.method` names one of these. Which to take, with measured figures: "
        "[choose a method](../choose_a_method.md).\n",
        table(
            ("method", "what is trained", "usual rate", "merges", "shares a base"),
            [_row(name, spec) for name, spec in METHODS.items()],
        ),
        "*Usual rate* is the peak learning rate where the recipe names none. *Merges*: the adapter "
        "can become part of the base's weights (`sluice export --merged`). *Shares a base*: the "
        "gateway holds several versions of the method over one base in memory; a method that does "
        "not has a copy of its own for each version.\n",
        "## Why some do not\n",
        *[_reasons(name, spec) for name, spec in METHODS.items() if spec.no_merge or spec.alone],
        "\n## Sources\n",
        *[f"- `{name}`: {spec.source}" for name, spec in METHODS.items()],
    ]
    return "\n".join(parts) + "\n"


def _row(name: Method, spec: MethodSpec) -> tuple[str, ...]:
    rate = f"{USUAL_RATES[name]:g}"
    merges, shares = ("no" if spec.no_merge else "yes"), ("yes" if spec.shares_base else "no")
    return (f"`{name}`", spec.trains, rate, merges, shares)


def _reasons(name: str, spec: MethodSpec) -> str:
    told = [
        f"does not {what}: {why}"
        for what, why in (("merge", spec.no_merge), ("share a base", spec.alone))
        if why
    ]
    return f"- `{name}` {'; '.join(told)}."
