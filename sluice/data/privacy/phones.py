"""Telephone numbers, as `phonenumbers` (Google's libphonenumber) knows them, told from other runs.

Most runs of digits could be dialled somewhere in the world. A number counts here if it says so by
its form (a plus, the grouping of its region, a Chinese mobile number) or by a word before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumberMatcher, PhoneNumberType
from phonenumbers.phonemetadata import PhoneMetadata

from sluice.data.privacy.cues import for_calling, named_for_calling, names_a_thing
from sluice.data.privacy.numbers import digits_of, is_date
from sluice.data.privacy.spans import Span

_BEFORE = r"(?<![A-Za-z0-9_@=#$€£¥+.,/%&-])"
_AFTER = r"(?![A-Za-z0-9_%@]|[.,:/-]\d| ?(?:元|块|欧|美元|euro|EUR|USD|RMB|kg|km|mm|cm))"
_INTERNATIONAL = re.compile(
    rf"(?<![A-Za-z0-9_@=+-])(?:\+|{_BEFORE}00)[ ]?[1-9](?:[ \-.()/]{{0,2}}\d){{6,14}}", re.ASCII
)
_NATIONAL = re.compile(rf"{_BEFORE}\(?\d(?:[ \-.()/]{{0,2}}\d){{6,14}}", re.ASCII)
# Chinese mobile numbers: 11 digits, alone or as 3-4-4, 3-3-5 and 4-3-4, with or without 86.
_CHINESE_MOBILE = re.compile(
    r"(?<![A-Za-z0-9_@=#$€£¥.,/%&-])(?:\(?(?:\+|00)?86\)?[ -]?)?"
    r"1[3-9]\d(?:\d{8}|([ -])\d{4}\1\d{4}|([ -])\d{3}\2\d{5}|\d([ -])\d{3}\3\d{4})"
    rf"{_AFTER}",
    re.ASCII,
)
_SEEN_AFTER = 8  # characters after the last digit that `_AFTER` looks at
_LOCAL_BEFORE = r"(?<!\d[ )])(?<!\d\) )" + _BEFORE
# Numbers inside one exchange, which only a word before them tells from other numbers.
_LOCAL = {
    "US": re.compile(rf"{_LOCAL_BEFORE}[2-9]\d\d[-. ]\d{{4}}{_AFTER}", re.ASCII),
    "CA": re.compile(rf"{_LOCAL_BEFORE}[2-9]\d\d[-. ]\d{{4}}{_AFTER}", re.ASCII),
    "CN": re.compile(rf"{_LOCAL_BEFORE}[2-8]\d{{3}}[ -]?\d{{3,4}}{_AFTER}", re.ASCII),
}
# Ofcom's numbers for drama, used in examples all over Britain; libphonenumber calls them invalid.
_DRAMA = re.compile(r"(?:44|0)7700900\d{3}")
_ALONE = {
    "CN": re.compile(r"0(?:10|2\d|[3-9]\d\d)[2-8]\d{6,7}"),
    "GB": re.compile(r"07\d{9}"),
    "DE": re.compile(r"01[5-7]\d{8,9}"),
}
_EXTENSION = re.compile(
    r"[ ,，]{0,2}(?:转|轉|分机|ext\.?|extension)[ ]?\d{1,6}(?!\d)", re.IGNORECASE
)
# Lines that companies print on their leaflets; they reach no person.
_PUBLIC = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
    }
)


def find_phones(text: str, start: int, end: int, regions: tuple[str, ...]) -> Iterator[Span]:
    """Numbers with a plus of any country, and national ones of `regions`, in a run of digits."""
    begin = max(0, start - 3)  # what may stand before the first digit: `(`, `+`, `(+`
    for match in _INTERNATIONAL.finditer(text, begin, end):
        written = next((w for w in _cuts(match.group()) if _is_international(w)), "")
        if written:
            yield _span(text, match.start(), written)
    if "CN" in regions:
        yield from _chinese_mobiles(text, begin, end)
    for match in _NATIONAL.finditer(text, begin, end):
        written = _national(text, match, regions)
        if written:
            yield _span(text, match.start(), written)
    for region in regions:
        yield from _locals(text, begin, end, region)


def _chinese_mobiles(text: str, begin: int, end: int) -> Iterator[Span]:
    for match in _CHINESE_MOBILE.finditer(text, begin, end + _SEEN_AFTER):
        if "+" in match.group() or not names_a_thing(text, match.start()):
            yield _span(text, match.start(), match.group())


def _locals(text: str, begin: int, end: int, region: str) -> Iterator[Span]:
    form = _LOCAL.get(region)
    for match in form.finditer(text, begin, end + _SEEN_AFTER) if form else ():
        if _is_local(text, match, region):
            yield _span(text, match.start(), match.group())


def _span(text: str, start: int, written: str) -> Span:
    end = start + len(written)
    extension = _EXTENSION.match(text, end)
    return Span(start, extension.end() if extension else end, "phone")


def _cuts(written: str) -> Iterator[str]:
    """The whole, then without its last group of digits, and so on: two numbers may stand in a row.

    Below seven digits nothing is a telephone number that could be told from another one.
    """
    yield written
    for match in reversed(list(re.finditer(r"[ \-.()/]+", written))):
        cut = written[: match.start()]
        if sum(c.isdigit() for c in cut) < 7:
            return
        yield cut


def _is_international(written: str) -> bool:
    number = _parsed("+" + written.lstrip("+0 "), None)
    if number is None or phonenumbers.number_type(number) in _PUBLIC:
        return False
    if phonenumbers.is_valid_number(number):
        return True
    # A plus and groups say what it is, even where no such line is assigned.
    separated = written.startswith("+") and not written[1:].isdigit()
    drama = _DRAMA.fullmatch(digits_of(written).lstrip("+0"))
    return drama is not None or (separated and phonenumbers.is_possible_number(number))


def _national(text: str, match: re.Match[str], regions: tuple[str, ...]) -> str:
    """What of a match is a national number of one of the regions; "" if nothing is."""
    called = for_calling(text, match.start())
    for written in _cuts(match.group()):
        if is_date(written):
            continue
        if re.match(_AFTER, text[match.start() + len(written) :][:8]) is None:
            continue
        if names_a_thing(text, match.start()):
            continue
        if "GB" in regions and _DRAMA.fullmatch(digits_of(written)):
            return written
        for region in regions:
            known = _is_national(written, region, called)
            if known is not None:
                return written if known else ""
    return ""


def _is_national(written: str, region: str, called: bool) -> bool | None:
    """True: somebody's number. False: a public line. None: not a number of the region."""
    digits = digits_of(written)
    if not called and _trunk(region) == "0" and digits[0] != "0" and not digits.startswith("400"):
        return None
    number = _parsed(written, region)
    if number is None or not phonenumbers.is_valid_number_for_region(number, region):
        return None
    if phonenumbers.number_type(number) in _PUBLIC:
        return False
    if called or (written.isdigit() and region in _ALONE and _ALONE[region].fullmatch(digits)):
        return True
    if written.isdigit():
        return None
    found = PhoneNumberMatcher(written, region, Leniency.STRICT_GROUPING, 2)
    return True if any(m.raw_string == written for m in found) else None


def _is_local(text: str, match: re.Match[str], region: str) -> bool:
    if is_date(match.group()):
        return False
    if region == "CN":
        return named_for_calling(text, match.start())
    return for_calling(text, match.start()) and not names_a_thing(text, match.start())


def _parsed(written: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException:
        return None


def _trunk(region: str) -> str | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix if metadata else None
