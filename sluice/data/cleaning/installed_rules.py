"""Rules that other packages add, by an entry point of the group `sluice.cleaning_rules`.

    [project.entry-points."sluice.cleaning_rules"]
    shouting = "shop_rules:shouting"

    def shouting(record: Record) -> bool:
        return record.answer.isupper()

The name of the entry point is the reason code; a rule is true where the (repaired) row breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from sluice.data.record import Record
from sluice.errors import DataError
from sluice.recipe.cleaning import REPAIR_NAMES, RULE_GROUP, RULE_NAMES


@dataclass(frozen=True, slots=True)
class InstalledRule:
    """A rule of an installed package; `version` is the package's name and version."""

    name: str
    version: str
    breaks: Callable[[Record], bool]

    def broken_by(self, record: Record) -> bool:
        """Whether a row breaks the rule.

        Raises:
            DataError: the rule failed.
        """
        try:
            return bool(self.breaks(record))
        except Exception as error:
            raise DataError(
                f"The cleaning rule {self.name} of {self.version} failed on {record.source}:"
                f"{record.line} with {type(error).__name__}. Mend the package, or switch the rule "
                f"off: `cleaning.off: [{self.name}]`."
            ) from error


def installed_rules() -> tuple[InstalledRule, ...]:
    """The rules of all installed packages, by name.

    Raises:
        DataError: a rule cannot be imported, or its name is taken.
    """
    found = sorted(entry_points(group=RULE_GROUP), key=lambda entry: entry.name)
    taken = {*REPAIR_NAMES, *RULE_NAMES}
    rules: list[InstalledRule] = []
    for entry in found:
        if entry.name in taken:
            raise DataError(
                f"{_version(entry)} adds a cleaning rule {entry.name}, but there is one already. "
                "Rename its entry point: the name is the reason code."
            )
        taken.add(entry.name)
        rules.append(InstalledRule(entry.name, _version(entry), _loaded(entry)))
    return tuple(rules)


def _loaded(entry: EntryPoint) -> Callable[[Record], bool]:
    try:
        return entry.load()
    except Exception as error:
        raise DataError(
            f"The cleaning rule {entry.name} of {_version(entry)} cannot be imported from "
            f"{entry.value} ({type(error).__name__}: {error}). Mend or remove the package."
        ) from error


def _version(entry: EntryPoint) -> str:
    return "an unnamed package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
