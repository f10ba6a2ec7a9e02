"""A program that uses EVI, as a user would write it: no cast, no silencer; a test runs it."""

from __future__ import annotations

import asyncio
import json
import sys

from humeai_async import AssistantMessage, Config, EventMessages, HumeAI, HumeError, Prompt

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


async def make_config(hume: HumeAI) -> Config:
    prompt: Prompt = await hume.prompts.create(name="Guide", text="Be brief.")
    tool = await hume.tools.create(name="weather", parameters=WEATHER)
    config = await hume.configs.create(
        name="Guide",
        evi_version="3",
        prompt=prompt,
        tools=[tool, {"id": tool.id, "version": tool.version}],
        voice={"name": "Ito", "provider": "HUME_AI"},
        timeouts={"inactivity": {"enabled": True, "duration_secs": 60}},
        event_messages=EventMessages(),
    )
    return await hume.configs.create_version(
        config.id,
        evi_version=config.evi_version or "3",
        prompt=config.prompt,
        voice=config.voice,
        tools=config.tools,
        builtin_tools=config.builtin_tools,
        language_model=config.language_model,
        event_messages=config.event_messages,
        timeouts=config.timeouts,
        webhooks=config.webhooks,
    )


async def converse(hume: HumeAI, config: Config) -> str:
    said: list[str] = []
    async with hume.chat.connect(config_id=config.id, config_version=config.version) as chat:
        await chat.send_settings({"context": {"text": "It rains.", "type": "persistent"}})
        async for event in chat:
            if event.type == "chat_metadata":
                await chat.send_text(f"Hello from {event.chat_id}")
            elif event.type == "tool_call":
                await chat.send_tool_response(event.tool_call_id, json.dumps({"sky": "grey"}))
            elif event.type == "audio_output":
                sys.stdout.buffer.write(event.audio)
            elif event.type == "error":
                raise RuntimeError(event.message)
            match event:
                case AssistantMessage(message=message):
                    said.append(message.content or "")
                case _ if event.type == "assistant_end":
                    break
                case _:
                    pass
    return " ".join(said)


async def main() -> None:
    async with HumeAI() as hume:
        try:
            config = await make_config(hume)
            sys.stdout.write(await converse(hume, config))
            async for chat in hume.chats.list(config_id=config.id):
                async for entry in hume.chats.list_events(chat.id):
                    sys.stdout.write(f"{entry.role}: {entry.message_text} {entry.emotion_scores}")
            await hume.configs.delete_version(config.id, config.version)
        except HumeError as error:
            sys.stderr.write(f"{error.status} {error.message}")


asyncio.run(main())
