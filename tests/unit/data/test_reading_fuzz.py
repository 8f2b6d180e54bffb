"""A taste of `python -m benchmarks.fuzz_readers` for each format."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzz_readers import FORMATS, check, make


@pytest.mark.parametrize("format", FORMATS)
def test_spoiled_files_are_read_or_refused(format: str, tmp_path: Path) -> None:
    for iteration in range(12):
        random = Random(f"test:{format}:{iteration}")
        name, content = make(format, random)
        (tmp_path / name).write_bytes(content)
        assert check(tmp_path / name, random) in ("read", "refused")
