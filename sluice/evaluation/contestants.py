"""The models that are compared, each as it is served, loaded one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.evaluation.request import EvaluationRequest, ModelToScore
from sluice.training.artifact import ADAPTER, TOKENIZER, TrainedModel
from sluice.training.loading import load_tokenizer, load_trained
from sluice.training.shared_weights import Form, SharedWeights


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model in evaluation mode with all that its prompts take."""

    model: Any
    tokenizer: Any
    system_prompt: str | None


class Contestants:
    """Loads what a request names. At most one base is in memory, and one model of whole weights."""

    def __init__(self, request: EvaluationRequest) -> None:
        self._request = request
        self._held: tuple[Form, SharedWeights] | None = None

    def __iter__(self) -> Iterator[ModelToScore]:
        """The models in an order in which each form of the base is loaded once, the base first."""
        yield from sorted(self._request.models, key=self._turn)

    def _turn(self, wanted: ModelToScore) -> tuple[bool, bool, bool]:
        if wanted.folder is None:
            return False, False, False
        whole = not (Path(wanted.folder) / ADAPTER).is_dir()
        own = (self._request.precision, self._request.quantization)
        return whole, self._form(wanted) != own, True

    def load(self, wanted: ModelToScore) -> Contestant:
        """One of the models; let go of the one before, first."""
        request = self._request
        if wanted.folder is None:
            tokenizer = load_tokenizer(
                Path(request.tokenizer), trust_remote_code=request.remote_code
            )
            return Contestant(
                self._base(self._form(wanted)).bare(), tokenizer, request.system_prompt
            )
        folder = Path(wanted.folder)
        facts = TrainedModel.read(folder)
        tokenizer = load_tokenizer(folder / TOKENIZER, trust_remote_code=facts.remote_code)
        return Contestant(self._trained(folder, facts), tokenizer, facts.system_prompt)

    def _trained(self, folder: Path, facts: TrainedModel) -> Any:
        if (folder / ADAPTER).is_dir():
            return self._base((facts.precision, facts.quantization)).adapted(folder / ADAPTER)
        self._held = None  # two sets of whole weights at a time are enough to fill a machine
        return load_trained(folder, Path(self._request.base_folder), facts)

    def _form(self, wanted: ModelToScore) -> Form:
        if wanted.folder is None:
            return self._request.precision, self._request.quantization
        facts = TrainedModel.read(Path(wanted.folder))
        return facts.precision, facts.quantization

    def _base(self, form: Form) -> SharedWeights:
        if self._held is None or self._held[0] != form:
            self._held = None  # the one before goes first: both may not fit
            request = self._request
            loaded = SharedWeights(
                Path(request.base_folder), *form, remote_code=request.remote_code
            )
            self._held = form, loaded
        return self._held[1]
