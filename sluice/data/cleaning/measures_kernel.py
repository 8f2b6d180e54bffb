"""The measures of many texts at once, over their UTF-8 bytes as Arrow holds them.

Phrases and lines are compared by 64-bit hashes: among a million different ones of a single text
two would be mistaken for each other once in 37 million texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from sluice.data.cleaning import letters
from sluice.data.cleaning.measures import CHARACTERS_PER_WORD, COLUMN, NAMES, PASSAGES, TOP_PHRASES
from sluice.data.compiled import compiled, decode
from sluice.data.text_bytes import bytes_of

F = TypeVar("F", bound=Callable[..., Any])

_N_MEASURES = len(NAMES)
_LINES = COLUMN["duplicate_lines"]
_PARAGRAPHS = COLUMN["duplicate_paragraphs"]
_TOP = COLUMN["top_phrase_2"]
_PASSAGES = COLUMN["passages_5"]
_HASHES = COLUMN["hashes"]
_ELLIPSES = COLUMN["ellipses"]
_BULLETS = COLUMN["bullet_lines"]
_TRAILING = COLUMN["ellipsis_lines"]
_LETTERS = COLUMN["letter_share"]
_WORD_LENGTH = COLUMN["word_length"]
_FIRST_TOP, _LAST_TOP = TOP_PHRASES[0], TOP_PHRASES[-1]
_LAST_PASSAGE = PASSAGES[-1]

_HASH, _DOT = 0x23, 0x2E
# What a byte of UTF-8 is; 0 for the rest of ASCII. `…` begins with the symbol 0xE2.
_SPACE, _LETTER, _DIGIT, _FOLLOWS, _FOREIGN, _SYMBOL = 1, 2, 3, 4, 5, 6
_KIND = np.zeros(256, np.uint8)
_KIND[[32, 9, 10, 11, 12, 13]] = _SPACE
_KIND[65:91] = _KIND[97:123] = _LETTER
_KIND[48:58] = _DIGIT
_KIND[0x80:0xC0] = _FOLLOWS
_KIND[0xC0:] = _FOREIGN
_KIND[[_HASH, _DOT, 0xE2]] = _SYMBOL

# FNV-1a's prime and offset for 64 bits, and the odd number nearest to 2**64 over the golden ratio.
_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_1, _2, _3, _4, _32 = (np.uint64(n) for n in (1, 2, 3, 4, 32))

is_letter = compiled(letters.is_letter)
is_unspaced = compiled(letters.is_unspaced)
is_bullet = compiled(letters.is_bullet)


def measured_at_once(texts: Any, chosen: Any, least_words: int) -> Any:
    """What `measures.measured` gives, for many texts."""
    data, offsets = bytes_of(texts)
    starts, ends = offsets[chosen], offsets[chosen + 1]
    out = np.zeros((len(chosen), _N_MEASURES), dtype=np.float64)
    _measure_all(data, starts, ends, float(max(1, least_words)), out)
    return out


@compiled
def _measure_all(data: Any, starts: Any, ends: Any, least_words: float, out: Any) -> None:
    longest = 1
    for row in range(len(starts)):
        longest = max(longest, ends[row] - starts[row])
    size = 16
    while size < 2 * longest:
        size *= 2
    keys = np.zeros(size, np.uint64)
    # A slot belongs to the round that wrote its stamp, so nothing is ever cleared.
    stamps = np.zeros(size, np.int64)
    counts = np.zeros(size, np.int64)
    hashes = np.zeros(longest + 1, np.uint64)
    grams = np.zeros(longest + 1, np.uint64)
    chars = np.zeros(longest + 2, np.int64)  # characters before a unit
    stamp = 0
    for row in range(len(starts)):
        text = data[starts[row] : ends[row]]
        unspaced = _is_unspaced_text(text)
        if unspaced:
            n, said = _characters(text, hashes, chars, out[row])
        else:
            n, said = _words(text, hashes, chars, out[row])
        scale = CHARACTERS_PER_WORD if unspaced else 1
        words = n / scale
        if words < least_words:
            out[row, :] = np.nan
            continue
        out[row, 0] = words
        out[row, _HASHES] /= words
        out[row, _ELLIPSES] /= words
        out[row, _LETTERS] /= n if unspaced else max(1, said)
        out[row, _WORD_LENGTH] = np.nan if unspaced else chars[said] / max(1, said)
        size = 16
        while size < 2 * n:
            size *= 2
        stamp = _phrases(
            hashes, grams, chars, said, scale, keys, stamps, counts, size, stamp, out[row]
        )
        stamp = _pieces(text, keys, stamps, chars, size, stamp, out[row])


@compiled
def _words(text: Any, hashes: Any, chars: Any, out: Any) -> tuple[int, int]:
    """Cut a text at white space: how many words it has, and how many with a letter or digit.

    Leaves the hashes of those, the characters before each of them, and counts of symbols and of
    words with a letter in `out`.
    """
    n = said = total = 0
    value = _OFFSET
    length = 0  # characters of the word so far
    has_letter = has_digit = False
    for i in range(len(text) + 1):
        byte = text[i] if i < len(text) else np.uint8(32)
        kind = _KIND[byte]
        if kind != _SPACE:
            value = (value ^ np.uint64(byte)) * _PRIME
            length += kind != _FOLLOWS
            if kind == _SYMBOL:
                _count_symbol(text, i, out)
            if kind == _DIGIT:
                has_digit = True
            elif not has_letter:
                has_letter = kind == _LETTER or (kind >= _FOREIGN and is_letter(decode(text, i)[0]))
        elif length:
            n += 1
            out[_LETTERS] += has_letter
            if has_letter or has_digit:
                hashes[said] = value
                chars[said] = total
                said += 1
                total += length
            value = _OFFSET
            length = 0
            has_letter = has_digit = False
    chars[said] = total
    return n, said


@compiled
def _characters(text: Any, hashes: Any, chars: Any, out: Any) -> tuple[int, int]:
    """Cut a text into characters; the same as `_words` otherwise."""
    n = said = i = 0
    while i < len(text):
        code, width = decode(text, i)
        if not (code == 32 or 9 <= code <= 13):
            n += 1
            letter = is_letter(code)
            out[_LETTERS] += letter
            if letter or 48 <= code <= 57:
                hashes[said] = (_OFFSET ^ np.uint64(code)) * _PRIME
                chars[said] = said
                said += 1
            if _KIND[text[i]] == _SYMBOL:
                _count_symbol(text, i, out)
        i += width
    chars[said] = said
    return n, said


@compiled
def _count_symbol(text: Any, i: int, out: Any) -> None:
    byte = text[i]
    if byte == _HASH:
        out[_HASHES] += 1
    elif byte == _DOT:  # the third of a run
        third = i > 1 and text[i - 1] == _DOT and text[i - 2] == _DOT
        out[_ELLIPSES] += third and not (i > 2 and text[i - 3] == _DOT)
    elif text[i + 1] == 0x80 and text[i + 2] == 0xA6:  # the first of a run of …
        follows = i > 2 and text[i - 3] == 0xE2 and text[i - 2] == 0x80 and text[i - 1] == 0xA6
        out[_ELLIPSES] += not follows


@compiled
def _is_unspaced_text(text: Any) -> bool:
    highest = np.uint8(0)
    for i in range(len(text)):
        highest = max(highest, text[i])
    if highest < 0xE0:  # such scripts need three bytes for a character
        return False
    seen = unspaced = i = 0
    while i < len(text):
        code, width = decode(text, i)
        i += width
        if code == 32 or 9 <= code <= 13:
            continue
        seen += 1
        unspaced += is_unspaced(code)
    return 2 * unspaced >= seen > 0


@compiled
def _slot(key: Any, keys: Any, stamps: Any, size: int, stamp: int) -> int:
    """The slot of a key, or the free one that it would take."""
    slot = int((key * _GOLDEN) >> _32) & (size - 1)
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & (size - 1)
    return slot


@compiled
def _phrases(
    hashes: Any,
    grams: Any,
    chars: Any,
    n: int,
    scale: int,
    keys: Any,
    stamps: Any,
    counts: Any,
    size: int,
    stamp: int,
    out: Any,
) -> int:
    for i in range(n):
        grams[i] = hashes[i]
    length = 1
    for words in range(_FIRST_TOP, _LAST_PASSAGE + 1):
        while length < words * scale:  # a phrase is the one before it and one unit more
            for i in range(n - length):
                grams[i] = (grams[i] * _PRIME) ^ (hashes[i + length] * _GOLDEN)
            length += 1
        stamp += 1
        if words <= _LAST_TOP:
            share = _top(grams, chars, n, length, keys, stamps, counts, size, stamp)
            out[_TOP + words - _FIRST_TOP] = share
        else:
            share = _passages(grams, chars, n, length, keys, stamps, size, stamp)
            out[_PASSAGES + words - _LAST_TOP - 1] = share
        if share == 0.0:  # where no phrase comes twice, no longer one does
            break
    return stamp


@compiled
def _top(
    grams: Any,
    chars: Any,
    n: int,
    length: int,
    keys: Any,
    stamps: Any,
    counts: Any,
    size: int,
    stamp: int,
) -> float:
    best = 1
    best_chars = 0
    for i in range(n - length + 1):
        slot = _slot(grams[i], keys, stamps, size, stamp)
        if stamps[slot] == stamp:
            counts[slot] += 1
        else:
            stamps[slot] = stamp
            keys[slot] = grams[i]
            counts[slot] = 1
        if counts[slot] > 1 and counts[slot] >= best:
            covered = chars[i + length] - chars[i]
            best_chars = covered if counts[slot] > best else max(best_chars, covered)
            best = counts[slot]
    return min(1.0, best * best_chars / chars[n]) if best > 1 else 0.0


@compiled
def _passages(
    grams: Any, chars: Any, n: int, length: int, keys: Any, stamps: Any, size: int, stamp: int
) -> float:
    repeated = i = 0
    while i + length <= n:
        slot = _slot(grams[i], keys, stamps, size, stamp)
        if stamps[slot] == stamp:
            repeated += chars[i + length] - chars[i]
            i += length
        else:
            stamps[slot] = stamp
            keys[slot] = grams[i]
            i += 1
    return repeated / chars[n]


@compiled
def _pieces(text: Any, keys: Any, stamps: Any, breaks: Any, size: int, stamp: int, out: Any) -> int:
    """Lines, then paragraphs: how many repeat an earlier one, and how lines begin and end."""
    n_breaks = _line_breaks(text, breaks)
    for column in (_LINES, _PARAGRAPHS):
        stamp += 1
        if column == _PARAGRAPHS:
            n_breaks = _before_empty_lines(text, breaks, n_breaks)
            if n_breaks == 0:
                break  # one paragraph repeats nothing
        said = repeats = total = repeated = bullets = trailing = 0
        start = 0
        for piece in range(n_breaks + 1):
            stop = breaks[piece] if piece < n_breaks else len(text)
            first, last = _trimmed(text, start, stop)
            start = stop + 1
            value, length, something = _piece(text, first, last, n_breaks == 0)
            if not something:
                continue
            said += 1
            total += length
            slot = _slot(value, keys, stamps, size, stamp)
            if stamps[slot] == stamp:
                repeats += 1
                repeated += length
            stamps[slot] = stamp
            keys[slot] = value
            bullets += is_bullet(decode(text, first)[0])
            trailing += _ends_with_ellipsis(text, first, last)
        out[column] = repeats / max(1, said)
        out[column + 1] = repeated / max(1, total)
        if column == _LINES:
            out[_BULLETS] = bullets / max(1, said)
            out[_TRAILING] = trailing / max(1, said)
    return stamp


@compiled
def _line_breaks(text: Any, breaks: Any) -> int:
    """Leave the places of line breaks in `breaks`; how many they are."""
    count = 0
    for i in range(len(text)):
        if text[i] == 10:
            breaks[count] = i
            count += 1
    return count


@compiled
def _before_empty_lines(text: Any, breaks: Any, count: int) -> int:
    """Of the line breaks those that another one follows."""
    kept = 0
    for i in range(count):
        place = breaks[i]
        if place + 1 < len(text) and text[place + 1] == 10:
            breaks[kept] = place
            kept += 1
    return kept


@compiled
def _trimmed(text: Any, first: int, last: int) -> tuple[int, int]:
    while first < last and (text[first] == 32 or 9 <= text[first] <= 13):
        first += 1
    while last > first and (text[last - 1] == 32 or 9 <= text[last - 1] <= 13):
        last -= 1
    return first, last


@compiled
def _piece(text: Any, first: int, last: int, alone: bool) -> tuple[Any, int, bool]:
    """The hash of a piece, its characters, and whether it says something.

    Of a piece that stands alone only the last counts.
    """
    something = False
    for i in range(first, last):
        byte = text[i]
        if byte >= 0x80 or 48 <= byte <= 57 or _KIND[byte] == _LETTER:
            something = True
            break
    if alone:
        return _OFFSET, 0, something
    length = 0
    for i in range(first, last):
        length += (text[i] & 0xC0) != 0x80
    return _hash(text, first, last), length, something


@compiled
def _hash(text: Any, first: int, last: int) -> Any:
    """FNV-1a over every fourth byte, four times: multiplications need not wait for each other."""
    a, b, c, d = _OFFSET, _OFFSET, _OFFSET, _OFFSET
    # Unsigned places: numba would test each signed one for being negative.
    i, end = np.uint64(first), np.uint64(last)
    while i + _3 < end:
        a = (a ^ np.uint64(text[i])) * _PRIME
        b = (b ^ np.uint64(text[i + _1])) * _PRIME
        c = (c ^ np.uint64(text[i + _2])) * _PRIME
        d = (d ^ np.uint64(text[i + _3])) * _PRIME
        i += _4
    while i < end:
        a = (a ^ np.uint64(text[i])) * _PRIME
        i += _1
    for other in (b, c, d):
        a = (a * _PRIME) ^ (other * _GOLDEN)
    return a


@compiled
def _ends_with_ellipsis(text: Any, first: int, last: int) -> bool:
    if last - first < 3:
        return False
    a, b, c = text[last - 3], text[last - 2], text[last - 1]
    return (a == 0x2E and b == 0x2E and c == 0x2E) or (a == 0xE2 and b == 0x80 and c == 0xA6)
