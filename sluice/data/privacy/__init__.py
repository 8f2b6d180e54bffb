"""Private data in a text: found by its format and checksum, masked so that the text still reads.

Only what names or reaches a person, or opens a door, is looked for. Numbers that a shop, a
ministry or a bank prints on its leaflets (toll-free and shared-cost lines, company registers,
VAT numbers) are left alone. No value is ever kept: a `Span` says where and what kind, no more.
"""

from __future__ import annotations

from sluice.data.privacy.private import Masked, Private
from sluice.data.privacy.spans import KINDS, Kind, Span

__all__ = ["KINDS", "Kind", "Masked", "Private", "Span"]
