"""Data Docs that open without a network and tell nobody that they were opened.

As Great Expectations writes them, the pages load styles and scripts from six hosts and, for the
logo, an image whose address carries the time: each view is reported. Here all that goes, and one
short style sheet takes its place.
"""

from __future__ import annotations

import re

STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; margin: 0 auto; max-width: 75rem;
  padding: 0 1.5rem 3rem; }
a { color: #0b5cad; text-decoration: none; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
td, th { border-bottom: 1px solid #dde3ea; padding: .35rem .6rem; text-align: left;
  vertical-align: top; }
.alert { background: #eef2f6; border-left: 4px solid #7b8b9c; padding: .5rem .8rem;
  margin-top: 1.2rem; }
.badge { background: #e3e8ee; border-radius: 4px; padding: .05rem .35rem; font-weight: 600; }
.card, .nav-tabs, .breadcrumb { list-style: none; padding: 0; }
.text-success { color: #157347; } .text-danger { color: #b3261e; } .text-warning { color: #8a5a00; }
i.fas { font-style: normal; font-weight: 700; }
i.fa-check-circle::before { content: "\\2713"; } i.fa-times::before { content: "\\2717"; }
i.fa-exclamation-triangle::before { content: "!"; }
h5, h6 { font-size: 1rem; margin: 0; }
/* these need the scripts that were removed: filters, and what folds out */
.card.mb-3, .collapse, a[data-toggle=collapse] { display: none; }
</style>"""

_REMOTE = re.compile(
    r"""<script\b[^>]*\bsrc=[^>]*>\s*</script>"""
    r"""|<link\b[^>]*\bhref="(?:https?:|[./]*static/)[^>]*>"""
    r"""|<img\b[^>]*\bsrc="[^>]*>"""
    r"""|<footer\b.*?</footer>""",
    re.IGNORECASE | re.DOTALL,
)
_SCRIPT = re.compile(r"<script\b.*?</script>", re.IGNORECASE | re.DOTALL)
_REMOTE_URL = re.compile(r"""url\(\s*['"]?https?:[^)]*\)""", re.IGNORECASE)


def offline(page: str, more: str) -> str:
    """A page of Data Docs that loads nothing from elsewhere, with `more` at its end."""
    for pattern in (_REMOTE, _SCRIPT):
        page = pattern.sub("", page)
    page = _REMOTE_URL.sub("none", page).replace("</head>", f"{STYLE}\n</head>", 1)
    return page.replace("</body>", f"{more}\n</body>", 1)
