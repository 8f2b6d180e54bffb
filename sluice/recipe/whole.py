"""The whole recipe."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from sluice.recipe.augmentation import AugmentationSection
from sluice.recipe.cleaning import CleaningSection
from sluice.recipe.compute import ComputeSection
from sluice.recipe.contract import ContractSection, DriftSection
from sluice.recipe.data import DataSection
from sluice.recipe.duplicates import DuplicatesSection
from sluice.recipe.evaluation import EvaluationSection
from sluice.recipe.gate import GateSection
from sluice.recipe.model import ModelSection
from sluice.recipe.poisoning import PoisoningSection
from sluice.recipe.privacy import PrivacySection
from sluice.recipe.section import Section
from sluice.recipe.serving import ApprovalSection, ScheduleSection, ServingSection
from sluice.recipe.training import TrainingSection


class Recipe(Section):
    """The whole recipe."""

    model: ModelSection
    data: DataSection
    cleaning: CleaningSection = CleaningSection()
    privacy: PrivacySection = PrivacySection()
    duplicates: DuplicatesSection = DuplicatesSection()
    poisoning: PoisoningSection = PoisoningSection()
    augmentation: AugmentationSection = AugmentationSection()
    contract: ContractSection = ContractSection()
    drift: DriftSection = DriftSection()
    compute: ComputeSection = ComputeSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    gate: GateSection = GateSection()
    approval: ApprovalSection = ApprovalSection()
    serving: ServingSection = ServingSection()
    schedule: ScheduleSection = ScheduleSection()

    @model_validator(mode="after")
    def _general_rows_have_a_source(self) -> Self:
        name = self.training.replay.general_source
        known = [source.name for source in self.data.sources]
        if name is not None and name not in known:
            raise ValueError(
                f"`training.replay.general_source: {name}` is none of `data.sources` (there: "
                f"{', '.join(known) or 'none'})"
            )
        return self
