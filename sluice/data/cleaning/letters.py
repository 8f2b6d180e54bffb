"""What kind of character a code point is, in plain integers, so that numba can compile it too."""

from __future__ import annotations


def is_unspaced(c: int) -> bool:
    """Whether a character belongs to a script that puts no spaces between words.

    Han, kana, Thai, Lao, Burmese and Khmer.
    """
    if c < 0x0E00:
        return False
    return (
        0x4E00 <= c <= 0x9FFF
        or 0x3041 <= c <= 0x30FF
        or 0x3400 <= c <= 0x4DBF
        or 0x0E01 <= c <= 0x0EFF
        or 0x1000 <= c <= 0x109F
        or 0x1780 <= c <= 0x17FF
        or 0xF900 <= c <= 0xFAFF
        or 0x20000 <= c <= 0x323AF
    )


def is_letter(c: int) -> bool:
    """Whether a character is a letter of any script, or a mark that builds one."""
    if c < 0x80:
        return 65 <= c <= 90 or 97 <= c <= 122
    if c < 0x2000:
        return c >= 0xC0 and c not in (0xD7, 0xF7)
    return not (
        0x2000 <= c <= 0x2BFF  # punctuation, arrows, mathematics, boxes
        or 0x3000 <= c <= 0x3004
        or 0x3008 <= c <= 0x3020
        or 0xFE10 <= c <= 0xFE6F
        or 0xFF00 <= c <= 0xFF20
        or 0xFF3B <= c <= 0xFF40
        or 0xFF5B <= c <= 0xFF65
        or 0xFFE0 <= c <= 0xFFFF
        or 0x1F000 <= c < 0x20000  # emoji
    )


def is_bullet(c: int) -> bool:
    """Whether a line that begins with this character is an item of a list: - * + • ‣ ◦ ▪ ● ·"""
    return c in (0x2D, 0x2A, 0x2B, 0x2022, 0x2023, 0x25E6, 0x25AA, 0x25CF, 0xB7)
