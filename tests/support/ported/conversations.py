"""The official examples of EVI, written with this library: configs, a chat, a tool, a history."""

from __future__ import annotations

import json
from collections import defaultdict

from humeai_async import (
    AssistantMessage,
    ChatEvent,
    Config,
    HumeAI,
    NotFoundError,
    ToolCallMessage,
    UserMessage,
)


async def use_configs(hume: HumeAI) -> tuple[str, list[str], list[str]]:
    """Create a config, fetch it, list all, delete it, list all."""
    created: Config = await hume.configs.create(
        name="poet", evi_version="3", prompt={"text": "You are a silly poet."}
    )
    fetched = await hume.configs.get_version(created.id, created.version)
    before = [config.id async for config in hume.configs.list()]
    await hume.configs.delete(created.id)
    after = [config.id async for config in hume.configs.list()]
    return fetched.name or "", before, after


async def quickstart(hume: HumeAI, config_id: str, text: str) -> tuple[list[str], bytes]:
    """Talk: keep the lines with their strongest expressions, and the sound to play."""
    lines: list[str] = []
    sound = bytearray()
    async with hume.chat.connect(config_id=config_id) as chat:
        await chat.send_text(text)
        async for event in chat:
            if event.type == "chat_metadata":
                lines.append(f"<{event.type}> {event.chat_id} {event.chat_group_id}")
            elif isinstance(event, UserMessage | AssistantMessage):
                lines.append(f"{event.message.role}: {event.message.content}")
                if event.models.prosody is not None:
                    scores = event.models.prosody.scores
                    lines.append(" | ".join(sorted(scores, key=lambda n: scores[n])[-3:]))
            elif event.type == "audio_output":
                sound += event.audio
            elif event.type == "error":
                raise RuntimeError(f"{event.code}: {event.message}")
            elif event.type == "assistant_end":
                break
    return lines, bytes(sound)


def run_tool(call: ToolCallMessage) -> str:
    """Look up the weather."""
    parameters: dict[str, str] = json.loads(call.parameters or "{}")
    if call.name != "get_current_weather":
        raise ValueError(f"there is no tool {call.name}")
    return f"It rains in {parameters['location']}."


async def call_functions(hume: HumeAI, text: str) -> list[str]:
    """Talk, and run the tools that the assistant calls."""
    replies: list[str] = []
    async with hume.chat.connect() as chat:
        await chat.send_text(text)
        async for event in chat:
            match event:
                case ToolCallMessage(tool_call_id=id):
                    try:
                        await chat.send_tool_response(id, run_tool(event))
                    except (KeyError, ValueError) as error:
                        await chat.send_tool_error(id, str(error))
                case _ if event.type == "assistant_message":
                    replies.append(event.message.content or "")
                case _ if event.type == "assistant_end":
                    break
                case _:
                    pass
    return replies


async def fetch_events(hume: HumeAI, chat_id: str) -> list[ChatEvent]:
    """All events of a chat, oldest first."""
    return await hume.chats.list_events(chat_id, ascending_order=True).collect()


def transcript(events: list[ChatEvent]) -> str:
    """A line for each message."""
    return "\n".join(
        f"[{event.occurred_at:%Y-%m-%d %H:%M:%S}] {event.role}: {event.message_text}"
        for event in events
        if event.type in {"USER_MESSAGE", "AGENT_MESSAGE"}
    )


def strongest(events: list[ChatEvent]) -> list[str]:
    """The three strongest expressions of the user, on average over all messages."""
    sums: defaultdict[str, float] = defaultdict(float)
    for event in events:
        for name, score in (event.emotion_scores or {}).items():
            sums[name] += score
    return sorted(sums, key=lambda name: sums[name], reverse=True)[:3]


async def find_chat(hume: HumeAI, chat_id: str) -> int:
    """The status of the error for a chat that is not there."""
    try:
        await hume.chats.list_events(chat_id)
    except NotFoundError as error:
        return error.status
    raise LookupError("there is such a chat")
