"""The evaluation step: score the models, judge the candidate, keep all that the verdict rests on.

`evidence/<digest>` holds the predictions of each model on the frozen rows, `scores.json`,
`verdict.json`, `evidence.md` (what an approver reads) and `report.html`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sluice.child_process import Event, run_module
from sluice.data.funnel import Trail, funnel
from sluice.data.json_lines import read_json_lines
from sluice.errors import EvaluationError
from sluice.evaluation.facts import facts_of
from sluice.evaluation.gate import judge
from sluice.evaluation.markdown import render_markdown
from sluice.evaluation.predictions import read_predictions
from sluice.evaluation.report import Report, render_report
from sluice.evaluation.request import EvaluationRequest, ModelToScore
from sluice.evaluation.samples import pick_samples
from sluice.evaluation.score_table import Scores
from sluice.evaluation.scores import score_models
from sluice.evaluation.verdict import Verdict
from sluice.lake import Lake, read_json, step_key, write_json
from sluice.recipe import Recipe
from sluice.refs import Evidence, ModelRef
from sluice.training.artifact import TOKENIZER, TrainedModel
from sluice.training.base_model import BaseModel
from sluice.training.train import history_file

CODE = 3  # raise it when the same models and rows would get other scores
MODULE = "sluice.evaluation.worker"
TIMEOUT_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is compared: the candidate, the champion if there is one, and always the base."""

    candidate: ModelRef
    champion: ModelRef | None
    champion_version: str | None


def evidence_step(
    trail: Trail,
    contest: Contest,
    recipe: Recipe,
    lake: Lake,
    cache: Path,
    on_event: Callable[[Event], None],
) -> Evidence:
    """Score base, champion and candidate on the same rows in one run, and judge the candidate.

    Raises:
        EvaluationError, StepProcessError: a model could not be scored.
        IntegrityError: a model's bytes or its base are not those that were trained.
    """
    key = _key(trail, contest, recipe)
    found = lake.find(key, Evidence)
    if found:
        return found
    model = TrainedModel.read(lake.path(contest.candidate))
    base = model.find_base(cache)
    _require_one_base(contest, lake, base)
    work = lake.work(key)
    with lake.aside() as out:
        request = _request(trail, contest, recipe, lake, model, base, out, work)
        run_module(
            MODULE, request.to_json(), work, on_event=on_event, timeout_seconds=TIMEOUT_SECONDS
        )
        verdict = _write_results(trail, contest, recipe, lake, base, out)
        return lake.commit(
            out,
            "evidence",
            key,
            lambda uri, digest: Evidence(uri, digest, verdict=verdict.verdict),
        )


def read_evidence(evidence: Evidence, lake: Lake) -> tuple[Scores, Verdict]:
    """The scores and the verdict of a piece of evidence."""
    folder = lake.path(evidence)
    scores = Scores.from_json(read_json(folder / "scores.json"))
    return scores, Verdict.from_json(read_json(folder / "verdict.json"))


def _key(trail: Trail, contest: Contest, recipe: Recipe) -> str:
    return step_key(
        "evaluate",
        CODE,
        trail.contracted.digest,
        contest.candidate.digest,
        contest.champion.digest if contest.champion else None,
        recipe.model.model_dump(mode="json"),
        recipe.evaluation.model_dump(mode="json"),
        recipe.gate.model_dump(mode="json"),
    )


def _require_one_base(contest: Contest, lake: Lake, base: BaseModel) -> None:
    if contest.champion is None:
        return
    champion = TrainedModel.read(lake.path(contest.champion))
    if champion.base_digest != base.digest:
        raise EvaluationError(
            f"The champion (version {contest.champion_version}) stands on base "
            f"{champion.base_digest[:12]}, the candidate on {base.digest[:12]}. Models on "
            "different bases are not compared yet; give the new base a new `model.name`."
        )


def _request(
    trail: Trail,
    contest: Contest,
    recipe: Recipe,
    lake: Lake,
    model: TrainedModel,
    base: BaseModel,
    out: Path,
    work: Path,
) -> EvaluationRequest:
    candidate = lake.path(contest.candidate)
    models = [ModelToScore("base")]
    if contest.champion is not None:
        lake.verify(contest.champion)
        models.append(ModelToScore("champion", str(lake.path(contest.champion))))
    models.append(ModelToScore("candidate", str(candidate)))
    return EvaluationRequest(
        base_folder=str(base.folder),
        tokenizer=str(candidate / TOKENIZER),
        precision=model.precision,
        quantization=model.quantization,
        remote_code=model.remote_code,
        threads=recipe.training.threads,
        language=recipe.model.language,
        system_prompt=model.system_prompt,
        models=tuple(models),
        rows=str(lake.path(trail.contracted) / "evaluation"),
        max_new_tokens=recipe.evaluation.max_new_tokens,
        batch_size=recipe.evaluation.batch_size,
        out=str(out),
    )


def _write_results(
    trail: Trail, contest: Contest, recipe: Recipe, lake: Lake, base: BaseModel, out: Path
) -> Verdict:
    names = ["base", *(["champion"] if contest.champion else []), "candidate"]
    predictions = read_predictions(out, names)
    scores = score_models(
        predictions, recipe.model.language, recipe.evaluation, recipe.training.seed
    )
    verdict = judge(scores, recipe.gate)
    report = Report(
        model=recipe.model.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=verdict,
        scores=scores,
        facts=facts_of(
            trail,
            contest.candidate,
            contest.champion,
            contest.champion_version,
            recipe,
            lake,
            base,
        ),
        funnel=funnel(trail, lake),
        train_loss=_losses(contest.candidate, lake, "step"),
        validation_loss=_losses(contest.candidate, lake, "validation"),
        samples=pick_samples(predictions, recipe.evaluation.samples),
        digests=_digests(trail, contest, base),
    )
    write_json(out / "scores.json", scores.to_json())
    write_json(out / "verdict.json", verdict.to_json())
    (out / "evidence.md").write_text(render_markdown(report), encoding="utf-8")
    (out / "report.html").write_text(render_report(report), encoding="utf-8")
    return verdict


def _losses(model: ModelRef, lake: Lake, kind: str) -> tuple[tuple[float, float], ...]:
    path = history_file(lake, model)
    events = read_json_lines(path) if path.exists() else []
    return tuple((e["step"], e["loss"]) for e in events if e.get("kind") == kind)


def _digests(trail: Trail, contest: Contest, base: BaseModel) -> tuple[tuple[str, str], ...]:
    champion = (("Champion", contest.champion.digest),) if contest.champion else ()
    return (
        ("Candidate", contest.candidate.digest),
        *champion,
        ("Base", base.digest),
        ("Data", trail.contracted.digest),
    )
