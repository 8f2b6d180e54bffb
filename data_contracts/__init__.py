"""What data must be at each boundary: Great Expectations suites as code."""

from __future__ import annotations

import os

# Read when Great Expectations is first imported, so it is set here, before any module below
# imports it: nothing phones home.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
