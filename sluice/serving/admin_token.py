"""The secret that guards /admin: a file in the home that only its owner can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from sluice.errors import ServingError

TOKEN_FILE = "token"


def admin_token(folder: Path) -> str:
    """The token of a home's `serving` folder; made, for its owner alone, if there is none.

    Raises:
        ServingError: the file is empty. An empty token would let everybody in.
    """
    path = folder / TOKEN_FILE
    if not path.exists():
        _create(path)
    token = path.read_text(encoding="ascii").strip()
    if not token:
        raise ServingError(f"{path} is empty. Delete it, and a new token is made.")
    return token


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".token.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        # A link, unlike a rename, does not replace a token that another process made just now.
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        Path(aside).unlink(missing_ok=True)
