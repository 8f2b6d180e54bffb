"""Profiles of finished data sets, each taken once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sluice.data.drift.profile import Profile, merge, profile_of_folder
from sluice.lake import Lake, digest_of, read_json, write_json
from sluice.refs import Ref

PROFILE_VERSION = 1


def profile_of(ref: Ref, side: str, lake: Lake) -> Profile:
    """The profile of one folder of rows of a data set; it is remembered beside the lake's areas."""
    name = digest_of([PROFILE_VERSION, ref.digest, side])[:32]
    path: Path = lake.root / "profiles" / f"{name}.json"
    if path.exists():
        return Profile.from_json(read_json(path))
    found = profile_of_folder(lake.path(ref) / side)
    write_json(path, found.to_json())
    return found


def profile_of_all(refs: Iterable[Ref], side: str, lake: Lake) -> Profile:
    """The profile of several data sets together."""
    return merge(profile_of(ref, side, lake) for ref in refs)
