"""Keys, tokens and passwords. The formats are those that their issuers document.

Where no other source is named, the format is that of the default rules of gitleaks
(github.com/gitleaks/gitleaks, config/gitleaks.toml), which cite the issuers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluice.data.privacy.quick import assignments
from sluice.data.privacy.spans import Span

_TOKENS = (
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",  # AWS access key id
    r"gh[pousr]_[A-Za-z0-9]{36,255}",  # GitHub: docs.github.com, "About authentication"
    r"github_pat_[A-Za-z0-9_]{22,255}",  # the same
    r"gl(?:pat|dt|rt|ptt|oas|ft|cbt|agent|soat|imt)-[A-Za-z0-9_-]{20,255}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{20,255}|xapp-\d-[A-Za-z0-9-]{20,255}",  # Slack: token types
    r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{20,}",  # Google
    r"sk-(?:proj-|svcacct-|admin-|ant-(?:api|admin)\d\d-)?[A-Za-z0-9_-]{32,255}",  # OpenAI, others
    r"hf_[A-Za-z0-9]{30,40}",  # Hugging Face user access token
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9]{32,}",  # Stripe: docs, "API keys"
    r"npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}",  # npm, PyPI
    r"LTAI[A-Za-z0-9]{16,26}|AKID[A-Za-z0-9]{32}",  # Alibaba Cloud, Tencent Cloud
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",  # SendGrid
    r"dop_v1_[a-f0-9]{64}|dapi[a-f0-9]{32}",  # DigitalOcean, Databricks
    r"eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}",  # JWT: RFC 7519, `{"` = eyJ
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_TOKENS)})(?![A-Za-z0-9_-])")
_PEM = re.compile(  # RFC 7468; the end may be cut off, the key is in the lines before it
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]*-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)"
)
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{1,64}:(?P<value>[^\s/@\"'<>]{3,128})@")
_BEARER = re.compile(r"\b[Bb]earer[ ]+(?P<value>[A-Za-z0-9._~+/=-]{20,})")

# What is assigned: quoted, or a run of characters as in a password. The sign stands before it.
_VALUE = re.compile(
    r"(?:[:=：]|:=|=>|是|为)[=>]?[ \t]{0,3}"
    r"(?:\"(?P<double>[^\"\s]{4,128})\"|'(?P<single>[^'\s]{4,128})'"
    r"|(?P<bare>[A-Za-z0-9!@#$%^&*_+./~=-]{6,128}))"
)
_SAID = re.compile(r"(?:密码|口令|密钥|秘钥)(?=是|为)")
# Not a value but where one comes from, or what stands for it.
_STANDS_FOR = re.compile(
    r"(?i)(?:\$|%|<|\{|\(|\[|\*{3}|x{4}|\.{3}|(?:your|my|the|some|example|placeholder|env|os|self"
    r"|process|config|settings|secrets?|vault|none|null|true|false)(?:[._-]|$))"
)


def find_tokens(text: str) -> Iterator[Span]:
    """Tokens by the format of their issuer, private keys, what stands behind `Bearer`."""
    for pattern in (_TOKEN, _PEM):
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), "secret")
    for match in _BEARER.finditer(text):
        yield Span(match.start("value"), match.end("value"), "secret")


def find_passwords_in_urls(text: str) -> Iterator[Span]:
    """The password of `scheme://user:password@host`."""
    for match in _URL.finditer(text) if "://" in text else ():
        if not _STANDS_FOR.match(match["value"]):
            yield Span(match.start("value"), match.end("value"), "secret")


def find_assigned(text: str) -> Iterator[Span]:
    """Values that are assigned to a name such as `password`, or said to be one."""
    for sign in (*assignments(text), *(match.end() for match in _SAID.finditer(text))):
        match = _VALUE.match(text, sign)
        if match is None:
            continue
        group = next(g for g in ("double", "single", "bare") if match[g] is not None)
        # `key: "word"` is as often prose or data as a secret; `key = "word"` is code.
        if _is_value(match[group], quoted=group != "bare" and text[sign] == "="):
            yield Span(match.start(group), match.end(group), "secret")


def _is_value(value: str, *, quoted: bool) -> bool:
    """A quoted word that is assigned is a value; any other has both letters and digits."""
    if _STANDS_FOR.match(value):
        return False
    return quoted or (any(c.isdigit() for c in value) and any(c.isalpha() for c in value))
