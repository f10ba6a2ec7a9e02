"""Settings of a chat's session, given while connecting or sent later.

`ConnectSettings` writes itself into the socket's URL, where each leaf is a key of its own; the
message with which a running session is changed is in `chat.py` and uses the same parts. Nothing
here does I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import field

from humeai_async._base.frozen import frozen


class AudioEncoding(enum.StrEnum):
    """How raw audio is written."""

    LINEAR16 = "linear16"


class ContextType(enum.StrEnum):
    """How long an injected text is kept."""

    PERSISTENT = "persistent"
    TEMPORARY = "temporary"
    EDITABLE = "editable"
    """In the guides, but missing from the reference."""


class ToolType(enum.StrEnum):
    """Who runs a tool."""

    BUILTIN = "builtin"
    FUNCTION = "function"


@frozen(kw_only=True)
class AudioConfiguration:
    """Format of raw audio (PCM); containers such as WAV or WebM say it themselves."""

    sample_rate: int
    """Samples a second and channel."""
    channels: int
    """Channels."""
    encoding: AudioEncoding | str
    """`linear16`: signed 16-bit little-endian."""
    codec: str | None = None
    """Name of the codec."""


@frozen(kw_only=True)
class SessionContext:
    """A text that is added to what the user says."""

    text: str
    """The text."""
    type: ContextType | str | None = None
    """For how long: `temporary` (the next message) if left out."""


@frozen(kw_only=True)
class SessionTool:
    """A tool of one session, which the caller runs."""

    type: ToolType | str
    """`function`."""
    name: str
    """Name of the function."""
    parameters: str
    """JSON Schema of its arguments, as text."""
    description: str | None = None
    """What it does; the language model reads it to know when to call."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class ConnectSettings:
    """Session settings that are given while connecting."""

    audio: AudioConfiguration | None = None
    """Format of raw audio."""
    context: SessionContext | None = None
    """Text to add to what the user says."""
    custom_session_id: str | None = None
    """An id of the caller's own; every message carries it."""
    event_limit: int | None = None
    """Events of earlier chats of the group to repeat, 300 at most."""
    language_model_api_key: str | None = field(default=None, repr=False)
    """Key for the supplemental language model."""
    system_prompt: str | None = None
    """Prompt in place of the config's."""
    voice_id: str | None = None
    """Voice in place of the config's."""
    variables: Mapping[str, str | float | bool] | None = None
    """Values for the places of the prompt that ask for them."""

    def to_query(self) -> list[tuple[str, str]]:
        """Write the settings as the socket's URL wants them: one bracketed key a leaf.

        Returns:
            Pairs such as `("session_settings[audio][channels]", "1")`; what is `None` is left
            out.
        """
        audio, context = self.audio, self.context
        leaves: dict[str, object] = {
            "custom_session_id": self.custom_session_id,
            "event_limit": self.event_limit,
            "language_model_api_key": self.language_model_api_key,
            "system_prompt": self.system_prompt,
            "voice_id": self.voice_id,
        }
        if audio is not None:
            leaves["audio][encoding"] = audio.encoding
            leaves["audio][sample_rate"] = audio.sample_rate
            leaves["audio][channels"] = audio.channels
            leaves["audio][codec"] = audio.codec
        if context is not None:
            leaves["context][text"] = context.text
            leaves["context][type"] = context.type
        for name, value in (self.variables or {}).items():
            leaves[f"variables][{name}"] = value
        return [
            (f"session_settings[{name}]", _query_text(value))
            for name, value in leaves.items()
            if value is not None
        ]


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
