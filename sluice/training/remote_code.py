"""Models that carry Python code of their own: run only on purpose, and only as it was pinned.

Where transformers has a class for the model, that class is used and the carried code is not read;
that needs no permission. Else `model.trust_remote_code` gives it, together with `model.revision`,
which says for which code: a commit of the hub, or the digest of a local folder's code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sluice.errors import BaseModelError
from sluice.lake import digest_of, file_digest

COMMIT = re.compile(r"^[0-9a-f]{40}$")
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def require_commit(base: str, revision: str | None) -> None:
    """Refuse to fetch code by a name whose content may change.

    Raises:
        BaseModelError: the revision is not a commit.
    """
    if revision is None or not COMMIT.match(revision):
        named = "no revision is named" if revision is None else f"`{revision}` is not a commit"
        raise BaseModelError(
            f"{base}: `model.trust_remote_code` runs the code of its repository, and {named}. A "
            "branch or tag may hold other code tomorrow: read the code, then set `model.revision` "
            "to the full commit (40 hexadecimal digits)."
        )


def checked_code(folder: Path, base: str, pin: str | None, *, trusted: bool) -> str | None:
    """The digest of the code that loading this folder will run; None if it runs none.

    `pin` is the digest that the code must have; None for a folder that a commit has fixed.

    Raises:
        BaseModelError: code would have to be run that nobody permitted or that was not pinned, or
            the weights are pickled.
    """
    config = read_config(folder, base)
    _refuse_pickle(folder, base)
    asked = _code_asked_for(config, folder)
    if not asked:
        return None
    if not trusted:
        if _has_own_class(config) and _has_own_tokenizer(folder):
            return None
        raise BaseModelError(
            f"{base}: it asks for code of its own (auto_map in {' and '.join(asked)}), which is "
            "not run. Use a model with a native class in transformers; or read that code, then set "
            "`model.trust_remote_code: true` and pin `model.revision`."
        )
    _refuse_code_from_elsewhere(asked, base)
    digest = code_digest(folder, base)
    if pin is not None and pin != digest:
        raise BaseModelError(_not_pinned(folder, base, pin, digest))
    return digest


def code_digest(folder: Path, base: str) -> str:
    """Digest of all Python files of a folder, by name and content.

    Raises:
        BaseModelError: there are none, so that the code would have to come from elsewhere.
    """
    files = sorted(folder.rglob("*.py"))
    if not files:
        raise BaseModelError(
            f"{base}: {folder} asks for code of its own (auto_map) and holds no Python file. Copy "
            "the model's code into it."
        )
    return digest_of({str(p.relative_to(folder)): file_digest(p) for p in files})


def read_config(folder: Path, base: str) -> dict[str, Any]:
    """The folder's config.json.

    Raises:
        BaseModelError: there is none, or it is not JSON.
    """
    path = folder / "config.json"
    if not path.exists():
        raise BaseModelError(f"{base}: {folder} holds no config.json, so it is not a model folder.")
    try:
        return _read(path)
    except ValueError as error:
        raise BaseModelError(f"{base}: {path} is not JSON ({error}). Fetch it again.") from error


def _not_pinned(folder: Path, base: str, pin: str, digest: str) -> str:
    found = f"they are not those that {pin[:12]} pins" if pin else "they are not pinned"
    count = len(list(folder.rglob("*.py")))
    return (
        f"{base}: `model.trust_remote_code` would run {count} Python files in {folder}, "
        f"and {found}. Read them; if they may run, set `model.revision: {digest}`."
    )


def _code_asked_for(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The files that name code, with what they name."""
    tokenizer = folder / "tokenizer_config.json"
    named = _read(tokenizer).get("auto_map") if tokenizer.exists() else None
    asked = {"config.json": config.get("auto_map"), tokenizer.name: named}
    return {name: classes for name, classes in asked.items() if classes}


def _refuse_code_from_elsewhere(asked: dict[str, Any], base: str) -> None:
    if "--" in json.dumps(asked):
        raise BaseModelError(
            f"{base}: its {' and '.join(asked)} name code of another repository (`--` in "
            "auto_map), which cannot be pinned with this one. Copy that code into the folder and "
            "name it there."
        )


def _has_own_class(config: dict[str, Any]) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return config.get("model_type") in known


def _has_own_tokenizer(folder: Path) -> bool:
    path = folder / "tokenizer_config.json"
    asked = path.exists() and _read(path).get("auto_map")
    return not asked or (folder / "tokenizer.json").exists()


def _refuse_pickle(folder: Path, base: str) -> None:
    if not any(folder.glob("*.safetensors")):
        found = sorted(p.name for p in folder.iterdir() if p.suffix in (".py", *PICKLED))
        raise BaseModelError(
            f"{base}: no *.safetensors in {folder} (found {', '.join(found) or 'no weights'}). "
            "Pickled weights can run code and are not loaded; convert them to safetensors first."
        )


def _read(path: Path) -> dict[str, Any]:
    keys: Any = json.loads(path.read_text(encoding="utf-8"))
    return dict(keys)
