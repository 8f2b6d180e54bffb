"""Calls of tools, in one spelling: arguments as an object, whether a row has them so or as text."""

from __future__ import annotations

from typing import Any, cast

from sluice.data.forms.misfit import Fields, MisfitError, is_missing
from sluice.data.forms.plain import canonical_json, json_in_text


def tool_definitions(fields: Fields) -> str | None:
    """The tools that a row gives to the model, as canonical JSON; None where it gives none.

    Raises:
        MisfitError: `wrong_type`, where `tools` is no list.
    """
    tools = fields.get("tools")
    if isinstance(tools, str) and tools.strip():
        tools = json_in_text(tools, "tools")
    if is_missing(tools) or tools in ("", []) or (isinstance(tools, str) and not tools.strip()):
        return None
    if not isinstance(tools, list):
        raise MisfitError("wrong_type", "tools is no list")
    return canonical_json(cast("object", tools), "tools")


def canonical_calls(calls: object, where: str) -> list[dict[str, Any]]:
    """Tool calls as a chat template takes them, from OpenAI's spelling or a shorter one.

    Raises:
        MisfitError: `bad_tool_call`, where one has no name, or arguments that are no object.
    """
    if isinstance(calls, str):
        calls = json_in_text(calls, f"{where}: a tool call")
    listed = cast("list[object]", calls) if isinstance(calls, list) else [calls]
    return [_call(call, where) for call in listed]


def _call(call: object, where: str) -> dict[str, Any]:
    fields = cast("Fields", call) if isinstance(call, dict) else {}
    function: object = fields.get("function") or fields
    inner = cast("Fields", function) if isinstance(function, dict) else {}
    name, arguments = inner.get("name"), inner.get("arguments")
    if not isinstance(name, str) or not name:
        raise MisfitError("bad_tool_call", f"{where}: a tool call has no name")
    if isinstance(arguments, str):
        # Templates write arguments as JSON; a text would come out as JSON in quotes.
        arguments = json_in_text(arguments or "{}", f"{where}: the arguments of a tool call")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise MisfitError("bad_tool_call", f"{where}: the arguments are no object")
    given = {"id": fields["id"]} if isinstance(fields.get("id"), str) else {}
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **given}
