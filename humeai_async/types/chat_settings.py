"""Settings of a chat's session, given while connecting or sent later.

`ConnectSettings` writes itself into the socket's URL, where each leaf is a key of its own; the
message with which a running session is changed is in `chat.py` and uses the same parts. Nothing
here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import cast

from attrs import asdict, field

from humeai_async._base.base_values import as_base
from humeai_async._base.frozen import frozen


class AudioEncoding(enum.StrEnum):
    """Encodings of raw audio."""

    LINEAR16 = "linear16"


class ContextType(enum.StrEnum):
    """How long a text added to the conversation stays."""

    PERSISTENT = "persistent"
    TEMPORARY = "temporary"
    EDITABLE = "editable"
    """Listed in the guides, but missing from the reference."""


class ToolType(enum.StrEnum):
    """Whether Hume or your own code runs a tool."""

    BUILTIN = "builtin"
    FUNCTION = "function"


@frozen(kw_only=True)
class AudioConfiguration:
    """Format of raw audio (PCM); containers such as WAV or WebM need none."""

    sample_rate: int
    """Samples per second in each channel."""
    channels: int
    """Number of audio channels."""
    encoding: AudioEncoding | str
    """`linear16`: signed 16-bit little-endian."""
    codec: str | None = None
    """Name of the audio codec."""


@frozen(kw_only=True)
class SessionContext:
    """A text that is added to the user's messages as context."""

    text: str
    """Text of the context."""
    type: ContextType | str | None = None
    """How long the context stays; `temporary` (the next message only) if left out."""


@frozen(kw_only=True)
class SessionTool:
    """A tool of one session, which your own code runs."""

    type: ToolType | str
    """Type of the tool, always `function`."""
    name: str
    """Name of the function."""
    parameters: str
    """JSON Schema of the tool's arguments, as text."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call it."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class ConnectSettings:
    """Session settings that are sent while connecting."""

    audio: AudioConfiguration | None = None
    """Format of the raw audio that will be sent."""
    context: SessionContext | None = None
    """Text to add to the user's messages as context."""
    custom_session_id: str | None = None
    """Your own id for the session; every message carries it."""
    event_limit: int | None = None
    """Number of earlier events of the chat group to repeat, 300 at most."""
    language_model_api_key: str | None = field(default=None, repr=False)
    """API key for the supplemental language model."""
    system_prompt: str | None = None
    """System prompt that replaces the config's."""
    voice_id: str | None = None
    """UUID of a voice that replaces the config's."""
    variables: Mapping[str, str | float | bool] | None = None
    """Values for the `{{placeholders}}` of the prompt, by name."""

    def to_query(self) -> list[tuple[str, str]]:
        """Return the settings as query fields of the socket's URL: one bracketed key a value.

        Returns:
            Pairs such as `("session_settings[audio][channels]", "1")`; what is `None` is left
            out.
        """
        return list(_leaves("session_settings", asdict(self)))


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            yield from _leaves(f"{name}[{key}]", inner)
    elif value is not None:
        plain = as_base(value)
        yield name, str(plain).lower() if isinstance(plain, bool) else str(plain)
