"""A conversation with the gateway in a terminal."""

from __future__ import annotations

from commands.console import console
from sluice.data.record import Message
from sluice.serving.client import GatewayClient


def one_answer(gateway: GatewayClient, model: str, question: str) -> None:
    """Ask once and print the answer."""
    answer = gateway.chat([Message("user", question)], model)
    console.print(answer.text, markup=False)


def talk(gateway: GatewayClient, model: str) -> None:
    """Ask and answer until an empty line; earlier turns are remembered."""
    turns: list[Message] = []
    while True:
        try:
            question = console.input("[bold]> [/]").strip()
        except EOFError:
            return
        if not question:
            return
        turns.append(Message("user", question))
        answer = gateway.chat(turns, model)
        turns.append(Message("assistant", answer.text))
        console.print(answer.text, markup=False)
        console.print(f"[dim]version {answer.version}[/]")
