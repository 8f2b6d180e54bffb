"""Find what is private in a text, and mask it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sluice.data.privacy.bank import find_bank_numbers
from sluice.data.privacy.emails import find_emails
from sluice.data.privacy.identities import find_identities
from sluice.data.privacy.networks import find_ip_addresses
from sluice.data.privacy.numbers import long_numbers
from sluice.data.privacy.phones import find_phones
from sluice.data.privacy.plain import plain
from sluice.data.privacy.quick import NO_CLUES, Clues, clues_of
from sluice.data.privacy.secrets import find_assigned, find_passwords_in_urls, find_tokens
from sluice.data.privacy.spans import KINDS, Kind, Span, without_overlaps
from sluice.recipe import PrivacySection
from sluice.recipe.privacy import Treatment

# Below this many texts each gets a look of its own, in less time than it takes to import numba.
SCREEN_PAYS_FROM = 10_000

_MASKS: dict[str, dict[Kind, str]] = {
    "english": {
        "secret": "[SECRET]",
        "email": "[EMAIL]",
        "bank_card": "[BANK CARD]",
        "national_id": "[ID NUMBER]",
        "ip_address": "[IP ADDRESS]",
        "phone": "[PHONE]",
    },
    "chinese": {
        "secret": "[密钥]",
        "email": "[邮箱]",
        "bank_card": "[银行卡号]",
        "national_id": "[证件号]",
        "ip_address": "[IP地址]",
        "phone": "[电话]",
    },
}


@dataclass(frozen=True, slots=True)
class Masked:
    """A text after masking, how many values of each kind were masked, and how many are left."""

    text: str
    counts: Mapping[Kind, int] = field(default_factory=dict[Kind, int])
    left: Mapping[Kind, int] = field(default_factory=dict[Kind, int])


class Private:
    """Looks for private data as a recipe asks for it. Holds no text, and may be pickled."""

    def __init__(self, section: PrivacySection) -> None:
        """Read what is done with each kind."""
        self._regions = section.phone_regions
        self._public = frozenset(_folded(value) for value in section.public)
        self._masks = _MASKS[section.mask_language]
        self.treatments: dict[Kind, Treatment] = {kind: getattr(section, kind) for kind in KINDS}
        self._wanted = frozenset(
            k for k, treatment in self.treatments.items() if treatment != "keep"
        )

    def may_have(self, text: str) -> bool:
        """A quick look: False only where `find` finds nothing."""
        return self._clues(text) != NO_CLUES

    def suspects(self, texts: Any) -> Any:
        """The numbers of the texts (an Arrow string array) in which `find` may find something."""
        if not self._wanted:
            return np.arange(0)
        if len(texts) < SCREEN_PAYS_FROM:
            return np.arange(len(texts))
        from sluice.data.privacy.screen import screened

        return screened(texts)

    def find(self, text: str) -> list[Span]:
        """Private data of every kind that the recipe does not keep, in order, without overlaps."""
        clues = self._clues(text)
        if clues == NO_CLUES:
            return []
        found = without_overlaps(set(self._spans(plain(text), clues)))
        return [
            span
            for span in found
            if span.kind in self._wanted
            and _folded(text[span.start : span.end]) not in self._public
        ]

    def mask(self, text: str) -> Masked:
        """Kinds to be masked, masked. Those to be dropped or quarantined are left as they are.

        Masking a masked text changes nothing: it is repeated until nothing is found. That ends,
        because each round leaves fewer digits and signs that could be part of a find.
        """
        counts: Counter[Kind] = Counter()
        while True:
            found = self.find(text)
            spans = [span for span in found if self.treatments[span.kind] == "mask"]
            if not spans:
                return Masked(text, dict(counts), dict(Counter(span.kind for span in found)))
            counts.update(span.kind for span in spans)
            text = self._without(text, spans)

    def _clues(self, text: str) -> Clues:
        return clues_of(text) if self._wanted else NO_CLUES

    def _spans(self, text: str, clues: Clues) -> Iterator[Span]:
        # What the recipe keeps is looked for as well: a card that is kept is no telephone number.
        if clues.token:
            yield from find_tokens(text)
        if clues.assignment:
            yield from find_assigned(text)
        if clues.at:
            yield from find_passwords_in_urls(text)
            yield from find_emails(text)
        if clues.ip_address:
            yield from find_ip_addresses(text)
        if clues.number:
            yield from self._numbers(text)

    def _numbers(self, text: str) -> Iterator[Span]:
        for start, end in long_numbers(text):
            yield from find_bank_numbers(text, start, end)
            yield from find_identities(text, start, end)
            yield from find_phones(text, start, end, self._regions)

    def _without(self, text: str, spans: list[Span]) -> str:
        pieces: list[str] = []
        position = 0
        for span in spans:
            pieces += [text[position : span.start], self._masks[span.kind]]
            position = span.end
        return "".join([*pieces, text[position:]])


def _folded(value: str) -> str:
    """Equal for two ways to write one address or number."""
    return "".join(c for c in plain(value).casefold() if c.isalnum() or c in "@._")
