"""What a gateway is told at its start. It reads no recipe: its caller takes the values from one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sluice.home import Home


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """One gateway serves one model name out of one home.

    Attributes:
        home: SLUICE_HOME.
        model: the name that requests ask for.
        port: 0 takes any free port.
        base: what `base` answers with, as in the recipe's `model.base`. None: `base` is not served.
        chat_template: how turns are written for `base`, as in `model.chat_template`; versions
            bring their own with their tokenizer.
        trust_remote_code: whether code that the base carries may run, as in the recipe.
        system_prompt: put before questions to `base`; versions bring their own in model.json.
        max_new_tokens: longest answer, whatever a request asks for.
        smoke_question: asked of each version before it may take traffic.
        precision: number type of the bare base model; versions bring their own.
        threads: CPU threads; None takes all cores that the process may use.
        log_requests: keep requests and answers in the home, so that they can be rated.
    """

    home: Path
    model: str
    host: str = "127.0.0.1"
    port: int = 0
    base: str | None = None
    revision: str | None = None
    chat_template: str | None = None
    trust_remote_code: bool = False
    system_prompt: str | None = None
    max_new_tokens: int = 256
    smoke_question: str = "Hello!"
    precision: str = "auto"
    threads: int | None = None
    log_requests: bool = False

    @property
    def home_layout(self) -> Home:
        """The layout of the home."""
        return Home(self.home)

    def arguments(self) -> list[str]:
        """These settings as arguments of `python -m sluice.serving.run_gateway`."""
        named = {name: value for name, value in asdict(self).items() if value is not None}
        return [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str] | None = None) -> GatewaySettings:
        """The inverse of `arguments`; None reads the command line."""
        parser = argparse.ArgumentParser(prog="python -m sluice.serving.run_gateway")
        kinds = {"home": Path, "port": int, "max_new_tokens": int, "threads": int}
        said = {"True": True, "False": False}.__getitem__
        kinds |= {"log_requests": said, "trust_remote_code": said}
        for field in fields(cls):
            required = field.name in {"home", "model"}
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=kinds.get(field.name, str),
                required=required,
                default=None if required else field.default,
            )
        return cls(**vars(parser.parse_args(arguments)))
