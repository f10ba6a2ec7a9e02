"""EVI configs: what a chat is made of, in numbered versions.

Only what configs do not share with prompts and tools stands here: what one is made of. It
knows nothing of how calls are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from humeai_async.catalog import evi as catalog
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import fill
from humeai_async.resources._request_bodies import request_body
from humeai_async.resources._versioned import VersionedEndpoints, VersionedResource
from humeai_async.types.evi import (
    BuiltinToolConfig,
    EmbeddedPrompt,
    EmbeddedTool,
    Prompt,
    Tool,
)
from humeai_async.types.evi_configs import (
    BuiltinTool,
    Config,
    ConfigPrompt,
    ConfigRequest,
    EllmModel,
    EventMessages,
    EviVersion,
    Interruption,
    LanguageModel,
    Nudges,
    Timeouts,
    ToolRef,
    TurnDetection,
    Voice,
    VoiceRef,
    Webhook,
)

if TYPE_CHECKING:
    from humeai_async.types.dicts import (
        BuiltinToolConfigDict,
        ConfigPromptDict,
        EllmModelDict,
        EventMessagesDict,
        InterruptionDict,
        LanguageModelDict,
        NudgesDict,
        TimeoutsDict,
        ToolRefDict,
        TurnDetectionDict,
        VoiceRefDict,
        WebhookDict,
    )


class Configs(VersionedResource[Config]):
    """EVI configurations and their versions.

    Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/list-configs
    """

    __slots__ = ()

    _request = ConfigRequest
    _endpoints = VersionedEndpoints(
        list=catalog.CONFIGS_LIST,
        create=catalog.CONFIGS_CREATE,
        list_versions=catalog.CONFIGS_LIST_VERSIONS,
        create_version=catalog.CONFIGS_CREATE_VERSION,
        delete=catalog.CONFIGS_DELETE,
        update_name=catalog.CONFIGS_UPDATE_NAME,
        get_version=catalog.CONFIGS_GET_VERSION,
        delete_version=catalog.CONFIGS_DELETE_VERSION,
        update_description=catalog.CONFIGS_UPDATE_DESCRIPTION,
    )

    async def create(
        self,
        *,
        name: str,
        evi_version: EviVersion | str,
        version_description: str | None = None,
        prompt: ConfigPrompt | EmbeddedPrompt | Prompt | ConfigPromptDict | None = None,
        voice: VoiceRef | Voice | VoiceRefDict | None = None,
        language_model: LanguageModel | LanguageModelDict | None = None,
        ellm_model: EllmModel | EllmModelDict | None = None,
        tools: Sequence[ToolRef | EmbeddedTool | Tool | ToolRefDict | None] | None = None,
        builtin_tools: Sequence[BuiltinToolConfig | BuiltinTool | BuiltinToolConfigDict | None]
        | None = None,
        event_messages: EventMessages | EventMessagesDict | None = None,
        timeouts: Timeouts | TimeoutsDict | None = None,
        nudges: Nudges | NudgesDict | None = None,
        interruption: Interruption | InterruptionDict | None = None,
        turn_detection: TurnDetection | TurnDetectionDict | None = None,
        webhooks: Sequence[Webhook | WebhookDict | None] | None = None,
    ) -> Config:
        """Create a config; its first version is 0.

        Costs one request. Parts may be given as plain dicts of the same keys, or as what another
        config came with, such as `prompt=config.prompt`; what is left out is Hume's default.

        Args:
            name: Name, unique in the account.
            evi_version: Generation of EVI, `"3"` or `"4-mini"`; Hume requires it although the
                documented table lacks it.
            version_description: Note on version 0.
            prompt: What EVI is to do: a prompt by id, or the text of a new one.
            voice: How it sounds, by id or by name.
            language_model: Supplemental language model.
            ellm_model: Quick replies of Hume's own language model.
            tools: Tools that the caller runs, by id.
            builtin_tools: Tools that Hume runs.
            event_messages: What EVI says by itself at the start and at timeouts.
            timeouts: When EVI ends a chat by itself.
            nudges: Whether EVI speaks up when the user is silent.
            interruption: When the user may cut in.
            turn_detection: When the user's turn begins and ends.
            webhooks: URLs that events are posted to.

        Returns:
            The config as made.

        Raises:
            InvalidArgumentError: `name` or `evi_version` is empty.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/create-config
        """
        check_text("name", name)
        check_text("evi_version", evi_version)
        request = ConfigRequest(
            name=name,
            evi_version=evi_version,
            version_description=version_description,
            prompt=prompt,
            voice=voice,
            language_model=language_model,
            ellm_model=ellm_model,
            tools=tools,
            builtin_tools=builtin_tools,
            event_messages=event_messages,
            timeouts=timeouts,
            nudges=nudges,
            interruption=interruption,
            turn_detection=turn_detection,
            webhooks=webhooks,
        )
        body = request_body(request)
        return await self._session.call(fill(catalog.CONFIGS_CREATE, body=body))

    async def create_version(
        self,
        id: str,
        *,
        evi_version: EviVersion | str,
        version_description: str | None = None,
        prompt: ConfigPrompt | EmbeddedPrompt | Prompt | ConfigPromptDict | None = None,
        voice: VoiceRef | Voice | VoiceRefDict | None = None,
        language_model: LanguageModel | LanguageModelDict | None = None,
        ellm_model: EllmModel | EllmModelDict | None = None,
        tools: Sequence[ToolRef | EmbeddedTool | Tool | ToolRefDict | None] | None = None,
        builtin_tools: Sequence[BuiltinToolConfig | BuiltinTool | BuiltinToolConfigDict | None]
        | None = None,
        event_messages: EventMessages | EventMessagesDict | None = None,
        timeouts: Timeouts | TimeoutsDict | None = None,
        nudges: Nudges | NudgesDict | None = None,
        interruption: Interruption | InterruptionDict | None = None,
        turn_detection: TurnDetection | TurnDetectionDict | None = None,
        webhooks: Sequence[Webhook | WebhookDict | None] | None = None,
    ) -> Config:
        """Create a new version of a config.

        A new version inherits nothing of what is left out, but for quick replies: give all of
        it. Costs one request.

        Args:
            id: Config UUID.
            evi_version: Generation of EVI, `"3"` or `"4-mini"`; required.
            version_description: Note on this version.
            prompt: What EVI is to do: a prompt by id, or the text of a new one.
            voice: How it sounds, by id or by name.
            language_model: Supplemental language model.
            ellm_model: Quick replies of Hume's own language model.
            tools: Tools that the caller runs, by id.
            builtin_tools: Tools that Hume runs.
            event_messages: What EVI says by itself at the start and at timeouts.
            timeouts: When EVI ends a chat by itself.
            nudges: Whether EVI speaks up when the user is silent.
            interruption: When the user may cut in.
            turn_detection: When the user's turn begins and ends.
            webhooks: URLs that events are posted to.

        Returns:
            The new version.

        Raises:
            InvalidArgumentError: The id cannot be one, or `evi_version` is empty.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/create-config-version
        """
        check_text("evi_version", evi_version)
        request = ConfigRequest(
            evi_version=evi_version,
            version_description=version_description,
            prompt=prompt,
            voice=voice,
            language_model=language_model,
            ellm_model=ellm_model,
            tools=tools,
            builtin_tools=builtin_tools,
            event_messages=event_messages,
            timeouts=timeouts,
            nudges=nudges,
            interruption=interruption,
            turn_detection=turn_detection,
            webhooks=webhooks,
        )
        body = request_body(request)
        return await self._session.call(fill(catalog.CONFIGS_CREATE_VERSION, id, body=body))
