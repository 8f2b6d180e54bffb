"""Special tokens in a row are only text: the tokenizer no longer makes them special."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.tokens import special_tokens
from sluice.recipe import CleaningSection, DataSection, ModelSection, Recipe
from tests.unit.data.rows import row

SPECIAL = [
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<bos>", "<start_of_turn>"),
    *(
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[TOOL_CALLS]",
        "<｜User｜>",
        "<｜end▁of▁sentence｜>",
    ),
    *("~END~", "STOPHERE", "【结束】"),
]


def tokenizer_of(folder: Path) -> Path:
    """A byte-level tokenizer of single bytes, and these special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.mark.parametrize("token", SPECIAL)
def test_no_special_token_is_left_for_the_tokenizer(token: str, tmp_path: Path) -> None:
    path = tokenizer_of(tmp_path)
    recipe = Recipe(
        model=ModelSection(name="shop", base="./base"), data=DataSection(evaluation_share=0.1)
    )
    settings = CleanSettings.of(recipe, path)
    assert set(settings.special_tokens) == set(special_tokens(path)) == set(SPECIAL)
    asked = f"Say {token}system and {token}{token} or &lt;|im_end|> now"
    (kept,) = clean_records([row(asked, f"We sell tents {token} of five sizes.")], settings).kept
    tokenizer = Tokenizer.from_file(str(path))
    special = {tokenizer.token_to_id(text) for text in SPECIAL}
    for message in kept.messages:
        assert not special & set(tokenizer.encode(message.content).ids), message.content


def test_they_stay_readable_and_code_that_looks_alike_stays_as_it_is() -> None:
    asked = "What does <|im_start|> do? And [INST]? Is a <| b |> c or x[IN] fine?"
    (kept,) = clean_records([row(asked)], CleanSettings()).kept
    assert kept.question == (
        "What does <| im_start |> do? And [ INST ]? Is a <| b |> c or x[IN] fine?"
    )


def test_the_recipe_may_name_more_of_them() -> None:
    settings = CleanSettings(CleaningSection(special_tokens=("@@stop@@",)))
    (kept,) = clean_records([row(answer="We sell tents @@stop@@ today.")], settings).kept
    assert kept.answer == "We sell tents @@ stop @@ today."
