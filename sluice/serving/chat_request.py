"""A chat completion request in OpenAI's form, and what it means here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sluice.data.record import Message, Role
from sluice.serving.engine import Options

# Fields of the OpenAI API that do not change the answer.
WITHOUT_EFFECT = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
)
# Fields that would change the answer: accepted only where they ask for what happens anyway.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def _encodable(text: str) -> str:
    # JSON can write half of a surrogate pair, which is no character and breaks tokenizers.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds a lone surrogate, which is not text") from error
    return text


Text = Annotated[str, AfterValidator(_encodable)]
StopString = Annotated[Text, Field(min_length=1, max_length=256)]


class TextPart(BaseModel):
    """One part of a message that comes in parts; only text is understood."""

    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    """One turn, as text or as parts of text."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]

    def plain(self) -> Message:
        """The turn as the rest of Sluice knows it."""
        parts = [self.content] if isinstance(self.content, str) else [p.text for p in self.content]
        return Message(ROLES[self.role], "".join(parts))


class StreamOptions(BaseModel):
    """`include_usage` asks for a last chunk with the token counts."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: Text
    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: StopString | Annotated[list[StopString], Field(max_length=8)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _only_what_is_understood(self) -> ChatRequest:
        extra: dict[str, Any] = self.model_extra or {}
        wrong = sorted(
            name
            for name, value in extra.items()
            if value is not None
            and name not in WITHOUT_EFFECT
            and value not in NEUTRAL.get(name, ())
        )
        if wrong:
            raise ValueError(
                f"not supported here: {', '.join(wrong)}. They would change the answer, so they "
                "are not silently ignored; leave them out"
            )
        if self.messages[-1].role == "assistant":
            raise ValueError("the last message must not be the assistant's: it is to be answered")
        return self

    def plain_messages(self) -> list[Message]:
        """The conversation as the rest of Sluice knows it."""
        return [message.plain() for message in self.messages]

    def options(self, longest: int) -> Options:
        """How to generate; no answer gets more than `longest` tokens."""
        asked = self.max_completion_tokens or self.max_tokens or longest
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Options(
            max_tokens=min(asked, longest),
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stop=tuple(stops),
        )
