"""Bank cards and accounts whose checksum is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from sluice.data.privacy.cues import names_a_thing
from sluice.data.privacy.spans import Span

# 13 to 19 digits, alone or in groups of four (Amex and Diners: 4-6-5 and 4-6-4).
_CARD = re.compile(r"(?<![\w.,+$€£¥#/-])\d(?:[ -]?\d){12,18}(?![\w%]|[.,-]\d)", re.ASCII)
_GROUPS = re.compile(r"\d{4}(?:[ -]\d{4}){2,3}(?:[ -]\d{1,4})?|\d{4}[ -]\d{6}[ -]\d{4,5}")
# Issuers, by leading digits and lengths: ISO/IEC 7812 ranges as published by the networks.
_ISSUERS = (
    (re.compile("4"), (13, 16, 19)),  # Visa
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile("3[47]"), (15,)),  # American Express
    (re.compile("62|81"), (16, 17, 18, 19)),  # UnionPay
    (re.compile("6011|64[4-9]|65"), (16, 19)),  # Discover
    (re.compile("35(?:2[89]|[3-8])"), (16, 17, 18, 19)),  # JCB
    (re.compile("30[0-5]|3[689]"), (14,)),  # Diners Club
    (re.compile("50|5[6-9]|6[0379]"), (16, 18, 19)),  # Maestro
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE | re.ASCII
)


def find_bank_numbers(text: str, start: int, end: int) -> Iterator[Span]:
    """Cards by issuer, length and Luhn digit; accounts by the structure and digits of an IBAN.

    `start` and `end` are those of a run of digits. One number in ten passes Luhn by chance, so one
    that follows `order no.` or the like is none unless it is written in groups, as on a card.
    """
    for match in _CARD.finditer(text, start, end + 2):
        if _is_card(text, match):
            yield Span(match.start(), match.end(), "bank_card")
    # Letters of the country and the bank stand before the longest run of digits.
    for match in _IBAN.finditer(text, max(0, start - 14), end + 20):
        length = _iban_length(match.group())
        if length:
            yield Span(match.start(), match.start() + length, "bank_card")


def _is_card(text: str, match: re.Match[str]) -> bool:
    digits = re.sub("[ -]", "", match.group())
    if not any(p.match(digits) and len(digits) in lengths for p, lengths in _ISSUERS):
        return False
    grouped = digits != match.group()
    if grouped and not _GROUPS.fullmatch(match.group()):
        return False
    return luhn.is_valid(digits) and (grouped or not names_a_thing(text, match.start()))


def _iban_length(written: str) -> int:
    """How much of a text is the account number that it starts with; 0 if it does with none.

    The country fixes the length, so a word that follows after a space is told apart.
    """
    ends = [i for i, c in enumerate(written, 1) if c.isalnum()]
    return next((end for end in reversed(ends) if iban.is_valid(written[:end])), 0)
