"""How far new rows are from those that the champion was trained on, and what to make of it.

A profile describes a set of rows in at most a few megabytes, however many there are, and holds no
text. Profiles of parts add up, so they can be made anywhere and stored beside a champion.
"""

from __future__ import annotations

from sluice.data.drift.compare import DriftReport, Measure, compare
from sluice.data.drift.decision import Decision, worth_retraining
from sluice.data.drift.profile import Profile, merge, profile, profile_of_folder

__all__ = [
    "Decision",
    "DriftReport",
    "Measure",
    "Profile",
    "compare",
    "merge",
    "profile",
    "profile_of_folder",
    "worth_retraining",
]
