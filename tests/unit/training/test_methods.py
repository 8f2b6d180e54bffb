"""All training methods on a tiny model, with the real trainer, in this process."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import build_tiny_base
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from sluice.data.record import Message, Record, content_id
from sluice.errors import TrainingError
from sluice.evaluation.generation import generate_answers
from sluice.recipe import TrainingSection
from sluice.training.arguments import arguments_of
from sluice.training.artifact import ADAPTER, PROBE, WEIGHTS, TrainedModel
from sluice.training.choices import choose
from sluice.training.loading import load_base, load_tokenizer, load_trained, with_adapter
from sluice.training.methods.apply import prepared
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.merging import MERGED_TOLERANCE, merged
from sluice.training.methods.resuming import STATE, callbacks_for, restored
from sluice.training.probe import probe_logits, require_same
from sluice.training.request import TrainingRequest
from sluice.training.rows import tokenised
from sluice.training.saving import RELOADED_TOLERANCE, save_model
from sluice.training.trainer import Trainer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*rank_pattern keys did not match.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Position ids are not supported.*:UserWarning"),
]

QUESTIONS = ["How long may I return a tent?", "帐篷可以退货吗？", "Hello!"]
VOCABULARY, HIDDEN, LAYERS, RANK, VECTORS = 420, 32, 2, 4, 4
KEYS = 16  # two key-value heads of eight
# Inputs and outputs of q, k, v, o, gate, up and down in one layer.
LINEAR = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
IN_AND_OUT = LAYERS * sum(taken + given for taken, given in LINEAR)
OUT = LAYERS * sum(given for _, given in LINEAR)
LORA = RANK * IN_AND_OUT

TRAINABLE = {
    "full": 2 * VOCABULARY * HIDDEN
    + LAYERS * (sum(taken * given for taken, given in LINEAR) + 2 * HIDDEN)
    + HIDDEN,
    "lora": LORA,
    "qlora": LORA,
    "qlora-int8": LORA,
    "dora": LORA + OUT,
    "pissa": LORA,
    "hybrid": LORA + 2 * VOCABULARY * HIDDEN,
    "adalora": 6 * (IN_AND_OUT + LAYERS * len(LINEAR)),  # it begins at one and a half of the rank
    "vera": OUT + 16 * RANK * LAYERS * len(LINEAR),
    "ia3": LAYERS * (KEYS + KEYS + 64),
    "prefix": VECTORS * KEYS + (KEYS + 1) * KEYS + (KEYS + 1) * (LAYERS * 2 * KEYS),
    "p_tuning": VECTORS * HIDDEN + 3 * (HIDDEN + 1) * HIDDEN,
    "prompt": VECTORS * HIDDEN,
}
RATES = {"full": 2e-3, "prefix": 3e-2, "ia3": 3e-2, "vera": 3e-2, "hybrid": 5e-3}


def settings_of(training: str, **more: Any) -> TrainingSection:
    name, _, quantization = training.partition("-")
    wanted: dict[str, Any] = {
        "method": name,
        "epochs": 3,
        "batch_size": 4,
        "rank": RANK,
        "alpha": 2 * RANK,
        "precision": "fp32",
        "threads": 1,
        "learning_rate": RATES.get(name, 1e-2),
        "checkpoint_every_steps": 7,
        **({"quantization": quantization} if quantization else {}),
        **({"virtual_tokens": VECTORS} if "PT" in _kind(name) else {}),
    }
    return TrainingSection(**{**wanted, **more})


def _kind(name: str) -> str:
    return {"prefix": "PT", "p_tuning": "PT", "prompt": "PT"}.get(name, "")


def records(count: int) -> list[Record]:
    chats = [
        (
            Message("user", f"How much is tent {n}? 帐篷多少钱？"),
            Message("assistant", f"Tent {n} costs {n * 7} crowns."),
        )
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


@dataclass(frozen=True)
class Trained:
    """What one training left: its folder, losses, number of parameters, and the live model."""

    folder: Path
    settings: TrainingSection
    losses: list[float]
    parameters: int
    model: Any


@dataclass(frozen=True)
class Bench:
    """A tiny base, and trainings on it."""

    base: Path
    tokenizer: Any
    rows: Any

    def train(
        self,
        folder: Path,
        settings: TrainingSection,
        *,
        start: Path | None = None,
        resume: Path | None = None,
        base: Path | None = None,
    ) -> Trained:
        out = folder / "model"
        out.mkdir(parents=True)
        request = self.request(folder, settings, start, base)
        set_seed(settings.seed)
        choices = choose(settings)
        model = prepared(request, choices.precision, self.tokenizer)
        trainer = Resuming(
            model=model,
            args=arguments_of(settings, choices, folder / "work", has_validation=False),
            train_dataset=self.rows,
            processing_class=self.tokenizer,
            callbacks=callbacks_for(settings, model),
        )
        count = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        save_model(trainer.model, self.tokenizer, request, out)
        self.facts(settings, choices.precision).write(out)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return Trained(out, settings, losses, count, trainer.model)

    def request(
        self,
        folder: Path,
        settings: TrainingSection,
        start: Path | None = None,
        base: Path | None = None,
    ) -> TrainingRequest:
        return TrainingRequest(
            base="package:tiny/tiny.gguf",
            base_folder=str(base or self.base),
            system_prompt=None,
            chat_template=None,
            remote_code=False,
            train="",
            validation="",
            settings=settings,
            start=str(start) if start else None,
            work=str(folder / "work"),
            out=str(folder / "model"),
        )

    def facts(self, settings: TrainingSection, precision: str) -> TrainedModel:
        return TrainedModel(
            base="package:tiny/tiny.gguf",
            revision=None,
            base_digest="0" * 64,
            method=settings.method,
            precision=precision,
            system_prompt=None,
            dataset_digest="0" * 64,
            recipe_digest="0" * 64,
            rows=len(self.rows),
            quantization=settings.quantization if settings.method == "qlora" else None,
        )

    def again(self, trained: Trained, base: Path | None = None) -> Any:
        facts = TrainedModel.read(trained.folder)
        return load_trained(trained.folder, base or self.base, facts)


class Resuming(Trainer):
    """Takes a method's own state from a checkpoint, where it has one."""

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not restored(self.model, Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    transformers_logging.disable_progress_bar()
    base = build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")
    tokenizer = load_tokenizer(base)
    rows, _ = tokenised(records(16), tokenizer, None, None)
    return Bench(base, tokenizer, rows)


@pytest.fixture(scope="module")
def trained(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """A finished training of a method; each is trained once for all tests."""
    found: dict[str, Trained] = {}

    def get(method: str) -> Trained:
        if method not in found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                folder = tmp_path_factory.mktemp(method)
                found[method] = bench.train(folder, settings_of(method))
        return found[method]

    return get


all_methods = pytest.mark.parametrize("method", list(TRAINABLE))
adapters = pytest.mark.parametrize("method", [name for name in TRAINABLE if name != "full"])


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of logits, as a share of the largest logit."""
    largest = max(float(logits.abs().max()) for logits in one.values())
    return max(float((one[name] - other[name]).abs().max()) for name in one) / largest


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@all_methods
def test_it_trains_as_many_numbers_as_its_formula_says(
    method: str, trained: Callable[[str], Trained]
) -> None:
    assert trained(method).parameters == TRAINABLE[method]


@all_methods
def test_it_learns(method: str, trained: Callable[[str], Trained]) -> None:
    losses = trained(method).losses
    assert len(losses) == 12
    assert sum(losses[-4:]) < sum(losses[:4])


@all_methods
def test_what_comes_back_computes_exactly_what_was_trained(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    found = trained(method)
    again = bench.again(found)
    require_same(again, bench.tokenizer, found.folder / PROBE, "the lake")
    live = probe_logits(found.model, bench.tokenizer)
    allowed = RELOADED_TOLERANCE["fp32"] if method == "pissa" else 0.0
    assert apart(live, probe_logits(again, bench.tokenizer)) <= allowed
    untrained = load_base(bench.base, "fp32")
    assert apart(probe_logits(untrained, bench.tokenizer), live) > 0.01


@all_methods
def test_it_leaves_weights_or_an_adapter_as_the_catalogue_says(
    method: str, trained: Callable[[str], Trained]
) -> None:
    folder, spec = trained(method).folder, METHODS[trained(method).settings.method]
    assert (folder / spec.kept).is_dir()
    assert not (folder / (ADAPTER if spec.kept == WEIGHTS else WEIGHTS)).exists()
    if spec.kept == ADAPTER:
        config = json.loads((folder / ADAPTER / "adapter_config.json").read_text())
        assert config["peft_type"] == spec.peft_type
        assert config["base_model_name_or_path"] == "package:tiny/tiny.gguf"
        assert sorted(files(folder / ADAPTER)) == [
            "adapter_config.json",
            "adapter_model.safetensors",
        ]


@all_methods
def test_the_same_model_saved_twice_is_the_same_bytes_and_names_no_folder(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    found = trained(method)
    save_model(found.model, bench.tokenizer, bench.request(tmp_path, found.settings), tmp_path)
    first, second = files(found.folder), files(tmp_path)
    del first["model.json"]
    assert first == second
    assert not any(str(bench.base.parent).encode() in content for content in first.values())


@all_methods
def test_a_batch_answers_as_single_questions_do(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    model = bench.again(trained(method))

    def answers(batch_size: int) -> list[Any]:
        return generate_answers(
            model, bench.tokenizer, QUESTIONS, max_new_tokens=6, batch_size=batch_size
        )

    assert answers(3) == answers(1)


@adapters
def test_it_merges_or_says_why_not(
    method: str, bench: Bench, trained: Callable[[str], Trained]
) -> None:
    found = trained(method)
    reason = METHODS[found.settings.method].no_merge
    model = bench.again(found)
    before = probe_logits(model, bench.tokenizer)
    if reason:
        with pytest.raises(TrainingError, match="vectors stand before every prompt"):
            merged(model)
        return
    whole = merged(model)
    assert not isinstance(whole, peft.PeftModel)
    assert apart(before, probe_logits(whole, bench.tokenizer)) <= MERGED_TOLERANCE["fp32"]


def test_a_merged_qlora_saves_and_loads_as_an_ordinary_model(
    bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    whole = merged(bench.again(trained("qlora")))
    whole.save_pretrained(tmp_path)
    again = load_base(tmp_path, "fp32")
    assert apart(probe_logits(whole, bench.tokenizer), probe_logits(again, bench.tokenizer)) == 0.0


def test_all_weights_cannot_be_merged(bench: Bench, trained: Callable[[str], Trained]) -> None:
    with pytest.raises(TrainingError, match="no adapter to merge"):
        merged(bench.again(trained("full")))


@all_methods
def test_it_goes_on_from_where_a_trained_model_stands(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    found = trained(method)
    request = bench.request(tmp_path, found.settings, start=found.folder)
    begun = prepared(request, "fp32", bench.tokenizer).eval()
    champion = probe_logits(bench.again(found), bench.tokenizer)
    assert apart(champion, probe_logits(begun, bench.tokenizer)) == 0.0


@pytest.mark.parametrize("method", ["full", "pissa", "hybrid", "adalora", "prefix", "p_tuning"])
def test_it_goes_on_a_second_time(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    settings = settings_of(method, epochs=1)
    second = bench.train(tmp_path / "2", settings, start=trained(method).folder)
    third = bench.train(tmp_path / "3", settings, start=second.folder)
    assert apart(*(probe_logits(bench.again(t), bench.tokenizer) for t in (second, third))) > 0


@pytest.mark.parametrize(
    ("method", "other", "said"),
    [
        ("lora", {"rank": 8}, "`rank` 8 where it has 4"),
        ("pissa", {"alpha": 16}, "`alpha` 16 where it has 8"),
        ("lora", {"method": "dora"}, "`method` dora where it has lora"),
        ("lora", {"target_modules": ("q_proj",)}, r"`target_modules` \['q_proj'\] where"),
        ("prompt", {"virtual_tokens": 9}, "`virtual_tokens` 9 where it has 4"),
        ("hybrid", {"fully_trained": ("head",)}, "`fully_trained`"),
        ("qlora", {"quantization": "int8"}, "`quantization` int8 where it has nf4"),
    ],
)
def test_it_does_not_go_on_in_another_form(
    method: str,
    other: dict[str, Any],
    said: str,
    bench: Bench,
    trained: Callable[[str], Trained],
    tmp_path: Path,
) -> None:
    settings = settings_of(method, **other)
    request = bench.request(tmp_path, settings, start=trained(method).folder)
    with pytest.raises(TrainingError, match=said):
        prepared(request, "fp32", bench.tokenizer)


@pytest.mark.parametrize(
    "method", ["adalora", "prefix", "p_tuning", "prompt", "pissa", "qlora", "hybrid"]
)
def test_stop_and_resume_gives_the_same_bytes(
    method: str, bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    whole = trained(method)
    checkpoint = whole.folder.parent / "work" / "checkpoint-7"
    assert (checkpoint / STATE).exists() == (method in ("adalora", "prefix", "p_tuning"))
    resumed = bench.train(tmp_path, whole.settings, resume=checkpoint)
    assert files(resumed.folder) == files(whole.folder)


def test_adalora_leaves_the_rank_that_the_recipe_says(
    trained: Callable[[str], Trained],
) -> None:
    folder = trained("adalora").folder / ADAPTER
    kept = json.loads((folder / "adapter_config.json").read_text())["rank_pattern"]
    assert sum(sum(mask) for mask in kept.values()) == RANK * LAYERS * len(LINEAR)
    tensors = load_file(folder / "adapter_model.safetensors")
    assert sum(t.numel() for n, t in tensors.items() if "lora_E" in n) == RANK * LAYERS * 7


def test_pissa_begins_as_the_base_and_is_saved_as_lora_of_twice_the_rank(
    bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    begun = prepared(bench.request(tmp_path, settings_of("pissa")), "fp32", bench.tokenizer)
    base = load_base(bench.base, "fp32")
    tokenizer = bench.tokenizer
    assert apart(probe_logits(base, tokenizer), probe_logits(begun.eval(), tokenizer)) < 1e-5
    config = json.loads((trained("pissa").folder / ADAPTER / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 16, True)


def test_prompt_tuning_starts_from_a_text(bench: Bench, tmp_path: Path) -> None:
    settings = settings_of("prompt", prompt_text="退货")
    model = prepared(bench.request(tmp_path, settings), "fp32", bench.tokenizer)
    ids = bench.tokenizer("退货", add_special_tokens=False)["input_ids"]
    words = model.word_embeddings.weight[(ids * VECTORS)[:VECTORS]]
    assert torch.equal(model.prompt_encoder["default"].embedding.weight, words)


def test_embeddings_and_head_that_are_one_matrix_stay_one(bench: Bench, tmp_path: Path) -> None:
    config = json.loads((bench.base / "config.json").read_text())
    tied = tmp_path / "tied"
    base = load_base(bench.base, "fp32")
    base.config.tie_word_embeddings = True
    base.tie_weights()
    base.save_pretrained(tied)
    found = bench.train(tmp_path, settings_of("hybrid", epochs=1), base=tied)
    assert config["tie_word_embeddings"] is False
    assert found.parameters == LORA + VOCABULARY * HIDDEN
    model = bench.again(found, tied)
    require_same(model, bench.tokenizer, found.folder / PROBE, "the lake")
    before = probe_logits(model, bench.tokenizer)
    whole = merged(model)
    assert whole.get_input_embeddings().weight is whole.get_output_embeddings().weight
    assert apart(before, probe_logits(whole, bench.tokenizer)) <= MERGED_TOLERANCE["fp32"]


@pytest.mark.parametrize("method", ["full", "hybrid", "adalora", "pissa", "qlora", "prefix"])
def test_in_bf16_what_comes_back_is_what_was_trained(
    method: str, bench: Bench, tmp_path: Path
) -> None:
    """`save_model` itself compares; whole weights are trained in fp32 and saved in bf16."""
    found = bench.train(tmp_path, settings_of(method, precision="bf16", epochs=1))
    assert found.parameters == TRAINABLE[method]
    require_same(bench.again(found), bench.tokenizer, found.folder / PROBE, "the lake")
    if method == "full":
        weights = load_file(found.folder / WEIGHTS / "model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}


def test_a_validation_in_between_does_not_stop_qlora_from_learning(
    bench: Bench, tmp_path: Path
) -> None:
    """bitsandbytes would repack its weights on some processors, into a form without gradients."""
    model = prepared(bench.request(tmp_path, settings_of("qlora")), "fp32", bench.tokenizer)
    first = probe_logits(model.eval(), bench.tokenizer)
    model.train()(input_ids=torch.arange(8).unsqueeze(0)).logits.sum().backward()
    inner = model.base_model.model.model.layers[0].mlp.down_proj.lora_B["default"].weight
    assert inner.grad.abs().sum() > 0
    assert apart(first, probe_logits(model.eval(), bench.tokenizer)) == 0.0


def test_a_model_that_comes_back_another_is_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_adapter(*_: Any, **__: Any) -> Any:
        return load_base(bench.base, "fp32")

    monkeypatch.setattr("sluice.training.saving.load_again", without_adapter)
    with pytest.raises(TrainingError, match="is not the one that was trained"):
        bench.train(tmp_path, settings_of("lora", epochs=1))


def test_adapters_of_one_kind_share_a_base(bench: Bench, trained: Callable[[str], Trained]) -> None:
    shared = load_base(bench.base, "fp32")
    for method in ("lora", "dora", "pissa"):
        assert METHODS[trained(method).settings.method].shares_base
        shared = with_adapter(shared, trained(method).folder / ADAPTER, f"a_{method}")
    for method in ("dora", "lora", "pissa"):
        shared.set_adapter(f"a_{method}", inference_mode=True)
        alone = probe_logits(bench.again(trained(method)), bench.tokenizer)
        assert apart(alone, probe_logits(shared.eval(), bench.tokenizer)) == 0.0


def test_the_catalogue_is_read_without_torch() -> None:
    code = (
        "import sys; from sluice.training.methods.catalogue import METHODS; "
        "from sluice.recipe.training import USUAL_RATES; "
        "assert METHODS.keys() == USUAL_RATES.keys(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
