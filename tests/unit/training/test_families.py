"""Each family of models, as a tiny random one of its real class: trained, kept, read back, asked.

So is a model that carries its own code, once that is permitted and pinned.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, build_tiny_carried, build_tiny_family
from tiny_training import request_on

from sluice.data.record import Message, Record, content_id
from sluice.errors import TrainingError
from sluice.evaluation.generation import generate_answers
from sluice.recipe import TrainingSection
from sluice.training.arguments import arguments_of
from sluice.training.artifact import PROBE, TOKENIZER
from sluice.training.base_model import resolve_base
from sluice.training.chat import chat_digest, chat_row, require_same_chat, stop_ids
from sluice.training.choices import choose
from sluice.training.loading import load_again, load_base, load_tokenizer
from sluice.training.methods.apply import with_method
from sluice.training.probe import probe_logits, require_same
from sluice.training.remote_code import code_digest
from sluice.training.rows import longest_row, tokenised
from sluice.training.saving import save_model
from sluice.training.templates import with_template
from sluice.training.trainer import Trainer

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
    # PEFT looks for DeepSeek's experts among the modules; they are parameters, and are found there.
    pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning"),
]

SETTINGS = TrainingSection(
    learning_rate=2e-2, batch_size=4, epochs=1, rank=4, alpha=8, precision="fp32", threads=1
)


@dataclass(frozen=True)
class Trained:
    """What a short training left: the base, the model's folder, the losses of its steps."""

    base: Path
    out: Path
    losses: list[float]
    chat: str
    remote_code: bool

    def model(self) -> Any:
        return load_again(self.out, self.base, "fp32", trust_remote_code=self.remote_code)

    def tokenizer(self) -> Any:
        return load_tokenizer(self.out / TOKENIZER)


def records(count: int) -> list[Record]:
    chats = [
        (Message("user", f"第{n}顶帐篷多少钱？"), Message("assistant", f"It costs {n * 7} crowns."))
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


def trained_on(base: Path, folder: Path, *, remote_code: bool = False) -> Trained:
    """Three steps by the same pieces as the trainer's process, in this one."""
    work, out = folder / "work", folder / "out"
    request = request_on(base, SETTINGS, work, out, remote_code=remote_code)
    choices = choose(SETTINGS)
    torch.manual_seed(SETTINGS.seed)
    tokenizer = with_template(load_tokenizer(base), None)
    model = load_base(base, choices.precision, trust_remote_code=remote_code)
    rows, _ = tokenised(records(12), tokenizer, None, longest_row(model.config, None))
    trainer = Trainer(
        model=with_method(model, SETTINGS, tokenizer),
        args=arguments_of(SETTINGS, choices, work, has_validation=False),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    digest = chat_digest(tokenizer, stop_ids(trainer.model, tokenizer))
    save_model(trainer.model, tokenizer, request, out)
    return Trained(base, out, losses, digest, remote_code)


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    family = str(request.param)
    folder = tmp_path_factory.mktemp(family)
    base = build_tiny_family(family, folder / "base")
    return trained_on(resolve_base(str(base), None, folder / "cache").folder, folder)


def test_each_family_learns_comes_back_and_answers(trained: Trained) -> None:
    require_learned_and_back(trained)


def require_learned_and_back(trained: Trained) -> None:
    assert trained.losses[-1] < trained.losses[0]
    model, tokenizer = trained.model(), trained.tokenizer()
    base = load_base(trained.base, "fp32", trust_remote_code=trained.remote_code)
    now, before = probe_logits(model, tokenizer), probe_logits(base, tokenizer)
    assert all(not torch.equal(now[name], before[name]) for name in now)
    require_same(model, tokenizer, trained.out / PROBE, "its folder")
    require_same_chat(tokenizer, model, trained.chat)
    prompts = [chat_row(tokenizer, row, None).prompt for row in records(3)]
    prompts[0] = prompts[0].replace("帐篷", "帐篷" * 9)  # a batch of different lengths
    alone, together = (
        generate_answers(model, tokenizer, prompts, max_new_tokens=5, batch_size=size)
        for size in (1, 3)
    )
    assert [answer.text for answer in alone] == [answer.text for answer in together]
    assert any(answer.tokens for answer in alone)


@pytest.fixture(scope="module")
def deepseek(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_family("deepseek_v3", tmp_path_factory.mktemp("experts") / "base")


def on_experts(base: Path, **settings: Any) -> Any:
    wanted = SETTINGS.model_copy(update=settings)
    return with_method(load_base(base, "fp32"), wanted, load_tokenizer(base))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "dora"}, "`training.method: dora` cannot train the experts of DeepseekV3"),
        ({"method": "pissa"}, "`training.method: pissa` cannot"),
        ({"method": "lora", "dropout": 0.1}, "`training.method: lora` with `dropout: 0.1` cannot"),
        ({"method": "hybrid", "dropout": 0.1}, "`method: lora` with `dropout: 0`, or leave the"),
    ],
)
def test_a_method_that_fused_experts_cannot_have_is_refused_with_what_can(
    deepseek: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        on_experts(deepseek, **settings)
    names = str(caught.value).split("target_modules: [")[1].split("]")[0].split(", ")
    assert "kv_b_proj" in names
    on_experts(deepseek, **settings, target_modules=tuple(names))  # what it says to take works


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that carries its own code; what is imported of it is kept in the test's folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path / "hf")])
    return build_tiny_carried(tmp_path / "carried")


def test_a_model_with_pinned_code_of_its_own_is_trained_as_others_are(
    carried: Path, tmp_path: Path
) -> None:
    pin = code_digest(carried, "carried")
    base = resolve_base(str(carried), pin, tmp_path / "cache", trust_remote_code=True)
    assert base.remote_code
    trained = trained_on(base.folder, tmp_path, remote_code=True)
    require_learned_and_back(trained)
    assert type(trained.model().get_base_model()).__module__.startswith("transformers_modules.")


def test_code_that_is_not_permitted_does_not_run(carried: Path) -> None:
    with pytest.raises(ValueError, match="trust_remote_code"):
        load_base(carried, "fp32")
