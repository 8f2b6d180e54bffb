"""IP addresses, told from version numbers and times of day."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from sluice.data.privacy.cues import names_a_version, speaks_of_a_machine
from sluice.data.privacy.spans import Span

_V4 = re.compile(r"(?<![\w.:-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)", re.ASCII)
_V6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]|\.\w)", re.ASCII)
_V4_OF_NOBODY = tuple(
    ipaddress.ip_network(net) for net in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")
)
# Addresses that are handed out to machines: global, unique local, link local. The rest of the
# space is reserved, and `a::b` of a programming language falls there.
_V6_IN_USE = tuple(ipaddress.ip_network(net) for net in ("2000::/3", "fc00::/7", "fe80::/10"))


def find_ip_addresses(text: str) -> Iterator[Span]:
    """Addresses of one machine. Loopback, netmasks and multicast belong to nobody.

    Four numbers with dots are an address, unless a word such as `version` stands before them, or
    all have one digit (`1.2.3.4`) and no word speaks of a machine. Private networks count: they
    tell how a company's own network is laid out.
    """
    if text.count(".") > 2:
        for match in _V4.finditer(text):
            if _is_v4(text, match):
                yield Span(match.start(), match.end(), "ip_address")
    if text.count(":") > 1:
        for match in _V6.finditer(text):
            if _is_v6(match.group()):
                yield Span(match.start(), match.end(), "ip_address")


def _is_v4(text: str, match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match.group())
    except ValueError:
        return False
    if any(address in network for network in _V4_OF_NOBODY):
        return False
    if names_a_version(text, match.start()):
        return False
    return len(match.group()) > len("1.2.3.4") or speaks_of_a_machine(text, match.start())


def _is_v6(written: str) -> bool:
    try:
        address = ipaddress.IPv6Address(written)
    except ValueError:
        return False
    return any(address in network for network in _V6_IN_USE)
