"""EVI over HTTP: prompts, tools, chats, chat groups, their events, privacy settings.

Fields carry the wire's names; times are milliseconds since 1970 although parts of Hume's
reference say seconds. A prompt or tool inside of a config need not name itself, so there it is
an `Embedded...` class. Configs are in `evi_configs.py`, the messages of the chat socket in
`chat.py`. Nothing here does I/O.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

from attrs import Factory

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async.types.json_text import read_json_object
from humeai_async.types.paging import Items, NumberedPage
from humeai_async.types.times import from_milliseconds
from humeai_async.types.unknown_fields import Open


class VersionType(enum.StrEnum):
    """Whether a version was named by its number or as the newest."""

    FIXED = "FIXED"
    LATEST = "LATEST"


class ConfigToolType(enum.StrEnum):
    """Whether Hume or your own code runs a tool."""

    BUILTIN = "BUILTIN"
    FUNCTION = "FUNCTION"


class BuiltinToolName(enum.StrEnum):
    """Tools that Hume runs itself."""

    WEB_SEARCH = "web_search"
    HANG_UP = "hang_up"


@frozen(kw_only=True)
class NameRequest:
    """A request for a new name of a config, prompt or tool."""

    name: str
    """The new name of the object."""


@frozen(kw_only=True)
class VersionDescriptionRequest:
    """A request for a new description of one version of a config, prompt or tool."""

    version_description: str | Unset | None = UNSET
    """The new description; `None` is sent as null."""


@frozen(kw_only=True, slots=False)
class Versioned(Open):
    """What each version of a config, prompt or tool holds."""

    name: str | None = None
    """Name of the object, the same for all its versions."""
    version_description: str | None = None
    """Note about this version, for people."""
    created_on: int | None = None
    """Time of the object's creation, in milliseconds since 1970."""
    modified_on: int | None = None
    """Time of the object's last change, in milliseconds since 1970."""

    @property
    def created_at(self) -> dt.datetime | None:
        """Time of the object's creation in UTC; `None` where it is not known."""
        return from_milliseconds(self.created_on)

    @property
    def modified_at(self) -> dt.datetime | None:
        """Time of the object's last change in UTC; `None` where it is not known."""
        return from_milliseconds(self.modified_on)


@frozen(kw_only=True)
class PromptExpansion(Open):
    """Whether Hume adds instructions of its own to a prompt."""

    enabled: bool | None = None
    """If true, or left out, Hume adds its own instructions."""


@frozen(kw_only=True)
class PromptRequest:
    """A request for a new prompt, or for a new version of one."""

    text: str
    """Text of the prompt."""
    name: str | None = None
    """Name of the new prompt; left out for a new version."""
    version_description: str | None = None
    """Note about this version, for people."""
    prompt_expansion: PromptExpansion | Mapping[str, Any] | None = None
    """Whether Hume adds instructions of its own to the prompt."""


@frozen(kw_only=True, slots=False)
class _PromptFields(Versioned):
    """What a prompt holds, but for its own id and version."""

    version_type: VersionType | str | None = None
    """Whether this version was named by its number or as the newest."""
    text: str | None = None
    """Text of the prompt."""
    prompt_expansion: PromptExpansion | None = None
    """Whether Hume adds instructions of its own to the prompt; lists leave it out."""


@frozen(kw_only=True)
class EmbeddedPrompt(_PromptFields):
    """One version of a prompt, as a config holds it."""

    id: str | None = None
    """UUID of the prompt, the same for all its versions."""
    version: int | None = None
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class Prompt(_PromptFields):
    """One version of a prompt."""

    id: str
    """UUID of the prompt, the same for all its versions."""
    version: int
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class PromptPage(NumberedPage):
    """One page of prompts, or of versions of one prompt."""

    prompts_page: Items[Prompt] = Factory(Items[Prompt])
    """The prompts on this page."""


@frozen(kw_only=True)
class BuiltinToolConfig:
    """A tool that Hume runs itself, switched on in a config or in a session."""

    name: BuiltinToolName | str
    """Name of the built-in tool, such as `web_search`."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True)
class ToolRequest:
    """A request for a new tool, or for a new version of one."""

    parameters: str
    """JSON Schema of the tool's arguments, as text."""
    name: str | None = None
    """Name of the new function; left out for a new version."""
    version_description: str | None = None
    """Note about this version, for people."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call it."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""


@frozen(kw_only=True, slots=False)
class _ToolFields(Versioned):
    """What a tool holds, but for its own id and version."""

    tool_type: ConfigToolType | str | None = None
    """Always `FUNCTION`."""
    version_type: VersionType | str | None = None
    """Whether this version was named by its number or as the newest."""
    parameters: str | None = None
    """JSON Schema of the tool's arguments, as text; `parsed_parameters` reads it."""
    description: str | None = None
    """What the tool does; the language model reads it to know when to call it."""
    fallback_content: str | None = None
    """Text for the language model if the tool fails."""

    @property
    def parsed_parameters(self) -> dict[str, Any]:
        """JSON Schema of the tool's arguments; empty if the service sent none.

        Raises:
            DecodeError: The text is not a JSON object.
        """
        return read_json_object(self.parameters, "$.parameters") or {}


@frozen(kw_only=True)
class EmbeddedTool(_ToolFields):
    """One version of a tool that your own code runs, as a config holds it."""

    id: str | None = None
    """UUID of the tool, the same for all its versions."""
    version: int | None = None
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class Tool(_ToolFields):
    """One version of a tool that your own code runs."""

    id: str
    """UUID of the tool, the same for all its versions."""
    version: int
    """Number of the version; the first is 0."""


@frozen(kw_only=True)
class ToolPage(NumberedPage):
    """One page of tools, or of versions of one tool."""

    tools_page: Items[Tool] = Factory(Items[Tool])
    """The tools on this page."""
