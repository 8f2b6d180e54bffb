"""The recipe: one YAML file says what is trained, on what, how it is judged, and how it is served.

Every default is in this package and nowhere else; `docs/reference/recipe.md` is generated from it.
Reading a recipe imports neither torch, prefect, mlflow nor great_expectations, so that
`sluice check` answers at once. Parsing, with lines and suggestions, is in `sluice.recipe_file`.
"""

from __future__ import annotations

from sluice.recipe.augmentation import AugmentationSection
from sluice.recipe.cleaning import CleaningSection
from sluice.recipe.compute import ComputeSection
from sluice.recipe.contract import ContractSection, DriftSection
from sluice.recipe.data import DataSection, MappingSection, SourceSection, WindowSection
from sluice.recipe.duplicates import DuplicatesSection
from sluice.recipe.evaluation import EvaluationSection
from sluice.recipe.expectations import ExpectationSection
from sluice.recipe.gate import (
    LOWER_IS_BETTER,
    BetterRule,
    GateRule,
    GateSection,
    LimitRule,
    Metric,
    NotWorseRule,
)
from sluice.recipe.launcher import LauncherSection
from sluice.recipe.model import ModelSection
from sluice.recipe.poisoning import PoisoningSection
from sluice.recipe.privacy import PrivacySection
from sluice.recipe.section import Name, Section
from sluice.recipe.serving import ApprovalSection, ScheduleSection, ServingSection
from sluice.recipe.training import USUAL_RATES, Method, ReplaySection, TrainingSection
from sluice.recipe.whole import Recipe

__all__ = [
    "LOWER_IS_BETTER",
    "USUAL_RATES",
    "ApprovalSection",
    "AugmentationSection",
    "BetterRule",
    "CleaningSection",
    "ComputeSection",
    "ContractSection",
    "DataSection",
    "DriftSection",
    "DuplicatesSection",
    "EvaluationSection",
    "ExpectationSection",
    "GateRule",
    "GateSection",
    "LauncherSection",
    "LimitRule",
    "MappingSection",
    "Method",
    "Metric",
    "ModelSection",
    "Name",
    "NotWorseRule",
    "PoisoningSection",
    "PrivacySection",
    "Recipe",
    "ReplaySection",
    "ScheduleSection",
    "Section",
    "ServingSection",
    "SourceSection",
    "TrainingSection",
    "WindowSection",
]
