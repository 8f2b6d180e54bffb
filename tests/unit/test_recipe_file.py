from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from sluice.errors import RecipeError
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe

REPOSITORY = Path(__file__).parents[2]
SHIPPED = sorted((REPOSITORY / "recipes").glob("*.yaml"))
SMALL = "model:\n  name: shop\n  base: ./base\ndata:\n  evaluation: eval.jsonl\n"
SECTIONS = cast(
    "dict[str, type[BaseModel]]", {n: f.annotation for n, f in Recipe.model_fields.items()}
)


def load(folder: Path, text: str | bytes) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_recipe(path)


def error_of(folder: Path, text: str | bytes) -> str:
    """The error's text, with the folder left out."""
    with pytest.raises(RecipeError) as caught:
        load(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            "training:\n  # fast\n  learning_rat: 1.0e-4\n",
            "recipe.yaml:8: training.learning_rat: is not a key of the recipe. Did you mean "
            "`learning_rate`?",
        ),
        ("trainin: {}\n", "recipe.yaml:6: trainin: is not a key of the recipe. Did you mean `tr"),
        (
            "gate:\n  learning_rate: 1.0e-4\n",
            "recipe.yaml:7: gate.learning_rate: is not a key here; it belongs under `training:`.",
        ),
        (
            "gate:\n  batch_size: 4\n",
            "recipe.yaml:7: gate.batch_size: is not a key here; it belongs under `training:` or "
            "`evaluation:`.",
        ),
        ("rank: 4\n", "recipe.yaml:6: rank: is not a key here; it belongs under `training:`."),
        ("approval:\n  zzz: 4\n", "Known here: expires_hours."),
        ("training:\n  epochs: many\n", ":7: training.epochs: input should be a valid number"),
        ("training:\n  epochs: -1\n", ":7: training.epochs: input should be greater than 0"),
        ("training:\n  method: lorra\n", "training.method: input should be 'full', 'lora',"),
        (
            "training:\n  virtual_tokens: 8\n",
            "`virtual_tokens` is read by prefix and p_tuning and prompt only, and the ",
        ),
        (
            "training:\n  replay: {older_share: 0.2}\n",
            "`replay.older_share` needs `start_from: champion`",
        ),
        (
            "training:\n  launcher: {processes: 2}\n",
            "`processes: 2` needs `kind: accelerate` (one machine) or `kind: ray` (many)",
        ),
        (
            "training:\n  method: qlora\n  launcher: {kind: ray, strategy: fsdp}\n",
            "`method: qlora` cannot be with `launcher.strategy: fsdp`: weights that are stored in",
        ),
        (
            "training:\n  method: qlora\n"
            "  launcher: {kind: ray, strategy: deepspeed, zero_stage: 3}\n",
            "`method: qlora` cannot be with `launcher.zero_stage: 3`: weights that are stored in",
        ),
        (
            "training:\n  optimizer: adamw_8bit\n  launcher: {kind: ray, strategy: fsdp}\n",
            "`optimizer: adamw_8bit` cannot be with `launcher.strategy: fsdp`: it cannot see",
        ),
        ("training:\n  epochs: .inf\n", ":7: training.epochs: input should be a finite number"),
        ("training:\n", "recipe.yaml:6: training: is empty: write its keys below it"),
        ("training: 3\n", "recipe.yaml:6: training: input should be a valid dictionary"),
        ("serving:\n  port: 1\n  port: 2\n", "recipe.yaml:8: the key `port` is written twice"),
        ("serving: {port: 1\n", "recipe.yaml:7: "),
        ("? [a, b]\n: 1\n", "recipe.yaml:6: a key must be a plain word"),
        ("1: x\n", "recipe.yaml:6: 1: "),
        ("\tserving: 1\n", "recipe.yaml:6: "),
        (
            "gate:\n  rules:\n    - {rule: better, metric: bleu}\n    - rule: not_worse\n"
            "      metric: bleu\n      margn: 1.0\n",
            "recipe.yaml:11: gate.rules.1.not_worse.margn: is not a key of the recipe. Did you "
            "mean `margin`?",
        ),
        (
            "gate:\n  rules:\n    - {rule: better, metric: bleu}\n    - rule: not_worse\n",
            "recipe.yaml:9: gate.rules.1.not_worse.metric: is required and not there",
        ),
        (
            "gate:\n  rules:\n    - {rule: bettr, metric: bleu}\n",
            "recipe.yaml:8: gate.rules.0: `rule: bettr` is not known; there are better, not_worse, "
            "at_least, at_most. Did you mean `better`?",
        ),
        ("gate:\n  rules:\n    - {metric: bleu}\n", "yaml:8: gate.rules.0: a rule begins with"),
        ("gate:\n  rules:\n    - better\n", "recipe.yaml:8: gate.rules.0: "),
        ("gate:\n  rules: []\n", "recipe.yaml:7: gate.rules: tuple should have at least 1 item"),
        (
            "gate:\n  rules:\n    - {rule: at_most, metric: blue, limit: 1}\n",
            "recipe.yaml:8: gate.rules.0.at_most.metric: input should be 'label_accuracy', 'macro",
        ),
    ],
)  # fmt: skip
def test_an_error_names_file_line_key_and_what_to_write(
    tmp_path: Path, added: str, expected: str
) -> None:
    assert expected in error_of(tmp_path, SMALL + added)


def test_a_missing_key_is_at_the_line_of_its_section(tmp_path: Path) -> None:
    text = error_of(tmp_path, "data: {evaluation: e.jsonl}\nmodel:\n  name: shop\n")
    assert text == "recipe.yaml:2: model.base: is required and not there"


def test_every_error_has_a_line_of_its_own(tmp_path: Path) -> None:
    text = error_of(tmp_path, SMALL + "training: {epochs: 0, rank: 0}\nservin: 1\n")
    assert [line.split(": ")[0] for line in text.splitlines()] == [
        "recipe.yaml:6", "recipe.yaml:6", "recipe.yaml:7",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word\n", "3"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "a recipe is a YAML mapping with `model:` and `data:`" in error_of(tmp_path, text)


def test_a_quantised_base_may_be_whole_on_each_process(tmp_path: Path) -> None:
    launcher = "  launcher: {kind: ray, strategy: deepspeed, zero_stage: 2}\n"
    found = load(tmp_path, f"{SMALL}training:\n  method: qlora\n{launcher}").training
    assert (found.method, found.launcher.zero_stage) == ("qlora", 2)


def test_nothing_to_judge_on_is_refused(tmp_path: Path) -> None:
    text = error_of(tmp_path, "model: {name: shop, base: b}\ndata: {}\n")
    assert text.startswith("recipe.yaml:2: data: nothing to evaluate on")


@pytest.mark.parametrize(
    "text", [b"\xff\xfe\x00", "model: caf\u00e9".encode("latin-1"), b"a: \x00"]
)
def test_what_is_not_text_is_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    assert "\n" not in error_of(tmp_path, text)


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    assert (
        error_of(tmp_path, "[" * 5000) == "recipe.yaml:1: this is nested too deeply to be a recipe."
    )


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_give_a_recipe_or_a_recipe_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"any\.yaml"):
        load_recipe(path)


@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "x"]),
        st.dictionaries(
            st.sampled_from([*{k for s in SECTIONS.values() for k in s.model_fields}, "x"]),
            st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none()),
            max_size=3,
        ),
        max_size=4,
    )
)  # fmt: skip
def test_any_mapping_gives_a_recipe_or_lines_with_numbers(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "made.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    last = len(path.read_text(encoding="utf-8").splitlines())
    try:
        load_recipe(path)
    except RecipeError as error:
        for line in str(error).removeprefix(f"{path}:").split(f"\n{path}:"):
            assert 1 <= int(line.split(":")[0]) <= max(last, 1)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "customers.yaml").write_text(SMALL)
    with pytest.raises(RecipeError, match=r"no such recipe\. Did you mean .*customers\.yaml"):
        load_recipe(tmp_path / "custmers.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path)


def test_a_byte_order_mark_and_crlf_are_no_trouble(tmp_path: Path) -> None:
    text = SMALL.replace("\n", "\r\n").encode("utf-8-sig")
    assert load(tmp_path, text).model.name == "shop"


def test_paths_are_taken_from_the_recipes_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", "/home/ann")
    found = load(tmp_path, SMALL + "  landing: ~/in\n")
    assert found.model.base == str(tmp_path / "base")
    assert found.data.evaluation == tmp_path / "eval.jsonl"
    assert found.data.landing == Path("/home/ann/in")


def test_a_base_that_is_no_folder_stays_as_it_is_written(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL).model.base == "./base"
    hub = SMALL.replace("./base", "Qwen/Qwen2.5-0.5B-Instruct")
    assert load(tmp_path, hub).model.base == "Qwen/Qwen2.5-0.5B-Instruct"


def test_a_recipe_cannot_be_changed(tmp_path: Path) -> None:
    found = load(tmp_path, SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        found.training.epochs = 9  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_loads_and_its_files_exist(path: Path) -> None:
    found = load_recipe(path)
    assert found.data.evaluation is not None
    assert found.data.evaluation.is_file()


def test_the_tags_of_made_up_rows_are_not_for_fields_of_a_row(tmp_path: Path) -> None:
    text = error_of(tmp_path, SMALL + "  tags: [intent, augmented]\n")
    assert text.startswith("recipe.yaml:4: data: no tag may be called augmented: ")
    mapping = "  mapping: {instruction: '{a}', output: '{b}', tags: {augmented_from: '{c}'}}\n"
    assert "no tag may be called augmented_from" in error_of(tmp_path, SMALL + mapping)


def test_every_key_has_a_description_and_every_section_a_name() -> None:
    for section in SECTIONS.values():
        assert section.__doc__
        assert all(f.description for f in section.model_fields.values()), section


# Whoever forgets this argument shall not run a stranger's code: that is a refusal, no preference.
SAFE = {"trust_remote_code": False}


def test_defaults_stand_in_one_file_only() -> None:
    """No other module takes a recipe's key as an argument with a default; scores work alone too."""
    keys = {key for section in SECTIONS.values() for key in section.model_fields}
    repeated = [
        f"{path.name}: {argument.arg}"
        for path in (REPOSITORY / "sluice").rglob("*.py")
        if path.parent.name != "evaluation"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument, default in zip(
            [*node.args.args, *node.args.kwonlyargs][::-1],
            [*node.args.defaults, *node.args.kw_defaults][::-1],
            strict=False,
        )
        if argument.arg in keys and isinstance(default, ast.Constant)
        if default.value not in (None, SAFE.get(argument.arg))
    ]
    assert repeated == []
