"""National identity numbers whose checksum is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import itin, ssn

from sluice.data.privacy.numbers import digits_of
from sluice.data.privacy.spans import Span

_FLAGS = re.ASCII | re.IGNORECASE
_NEAR = 40  # characters before a number in which its name stands


@dataclass(frozen=True, slots=True)
class Identity:
    """How one country writes its number.

    A number is one if it has the `form` and is `valid`. Where the form is only a run of digits of
    which one in ten is valid by chance, a word of `cue` must stand before it as well.
    """

    form: re.Pattern[str]
    valid: Callable[[str], bool]
    cue: re.Pattern[str] | None = None


def _identity(form: str, valid: Callable[[str], bool], cue: str | None = None) -> Identity:
    return Identity(
        re.compile(rf"(?<![\w.,-])(?:{form})(?![\w-]|[.,]\d)", _FLAGS),
        valid,
        re.compile(cue, re.IGNORECASE) if cue else None,
    )


# HMRC manual NIM39110: letters that do not occur, and prefixes that are not issued. HMRC's own
# examples begin with QQ.
_NINO = (
    r"(?!BG|GB|NK|KN|TN|NT|ZZ)(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ)"
    r"[ ]?\d\d[ ]?\d\d[ ]?\d\d[ ]?[A-D]"
)
_SSN_CUE = r"ssn|itin|tin(?![a-z])|social security|taxpayer|社会安全号|社保号"


def _is_chinese(written: str) -> bool:
    return ric.is_valid(digits_of(written))


def _always(_: str) -> bool:
    return True


IDENTITIES = (
    # China: place, date of birth, MOD 11-2 (GB 11643-1999).
    _identity(r"[1-9]\d{5}[ ]?(?:19|20)\d{6}[ ]?\d{3}[\dX]", _is_chinese),
    # United States: no check digit. Hyphens tell, or a word.
    _identity(r"\d{3}-\d{2}-\d{4}", ssn.is_valid),
    _identity(r"9\d{2}-\d{2}-\d{4}", itin.is_valid),
    _identity(r"\d{3}[ ]?\d{2}[ ]?\d{4}", ssn.is_valid, _SSN_CUE),
    # United Kingdom: national insurance (no check digit, but two letters of a list), NHS.
    _identity(_NINO, _always),
    _identity(r"\d{3}[ -]?\d{3}[ -]?\d{4}", nhs.is_valid, r"(?<![a-z])nhs(?![a-z])"),
    _identity(r"\d{2}[ ]\d{3}[ ]\d{3}[ ]\d{3}", idnr.is_valid),  # Germany, as printed
    _identity(r"\d{11}", idnr.is_valid, r"id-?nr|steuer|tax id|identifikationsnummer|税号"),
    _identity(r"[12][ ]?\d{2}[ ]?\d{2}[ ]?\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{2}", nir.is_valid),
    _identity(r"\d{8}[ -]?[A-HJ-NP-TV-Z]", dni.is_valid),  # Spain: one letter of 23
    _identity(r"[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]", nie.is_valid),
    _identity(r"\d{9}", bsn.is_valid, r"(?<![a-z])bsn|burgerservice|sofinummer"),
    _identity(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", nn.is_valid),  # Belgium, as printed
    _identity(r"756\.\d{4}\.\d{4}\.\d{2}", ahv.is_valid),  # Switzerland, as printed
    _identity(r"(?:\d{2}|19\d{2}|20\d{2})[01]\d[0-3]\d[-+]\d{4}", personnummer.is_valid),  # Sweden
    _identity(r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", hetu.is_valid),  # Finland
    _identity(r"\d{11}", pesel.is_valid, r"pesel"),
    _identity(r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),  # Brazil, as printed
    _identity(r"\d{11}", cpf.is_valid, r"(?<![a-z])cpf"),
    _identity(r"\d{6}-[1-8]\d{6}", rrn.is_valid),  # South Korea, as printed
    _identity(r"\d{4}[ -]?\d{4}[ -]?\d{4}", my_number.is_valid, r"マイナンバー|個人番号|my number"),
    _identity(r"\d{4}[ -]?\d{4}[ -]?\d{4}", aadhaar.is_valid, r"aadha+r|uidai"),
)


# One search that says of most runs of digits that they have no such form, or no such word before.
_ANY_FORM = re.compile("|".join(i.form.pattern for i in IDENTITIES if i.cue is None), _FLAGS)
_ANY_CUE = re.compile("|".join(i.cue.pattern for i in IDENTITIES if i.cue), re.IGNORECASE)


def find_identities(text: str, start: int, end: int) -> Iterator[Span]:
    """Identity numbers of the countries in `IDENTITIES`, in and about a run of digits."""
    # A letter or two may stand before the digits, and a sign with some more after them.
    begin, end = max(0, start - 3), end + 6
    before = text[max(0, start - _NEAR) : start]
    named = _ANY_CUE.search(before) is not None
    if not named and _ANY_FORM.search(text, begin, end) is None:
        return
    for identity in IDENTITIES:
        if identity.cue and not (named and identity.cue.search(before)):
            continue
        for match in identity.form.finditer(text, begin, end):
            if identity.valid(match.group()):
                yield Span(match.start(), match.end(), "national_id")
