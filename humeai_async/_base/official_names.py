"""Names of the official SDK, and what they are called here.

It makes the message of an `AttributeError` for a name that an object does not have, and is
imported only then. It knows names and no calls.
"""

from __future__ import annotations

import difflib

NAMES = {
    "HumeAI": {
        "expression_measurement": "hume.batch for jobs, hume.expression for the API of today",
        "empathic_voice": "hume.configs, hume.prompts, hume.tools, hume.chats, hume.chat_groups "
        "and hume.chat",
        "evi": "hume.chat.connect(...), hume.configs, hume.prompts, hume.tools and hume.chats",
        "custom_models": "hume.datasets, hume.files, hume.models and hume.jobs",
        "tts": "hume.request(...): speech synthesis is not part of this library, and has no "
        "methods",
        "stream": "hume.expression.connect_audio(...) or connect_video(...); the older streaming "
        "API has ended",
        "with_raw_response": "hume.request(...), which returns status, headers and bytes",
        "close": "await hume.aclose()",
        "connect": "hume.chat.connect(...)",
        "submit_job": "hume.batch.start_job(urls=[...], models={...})",
        "get_job": "hume.batch.job(id)",
        "get_job_predictions": "hume.batch.get_predictions(id)",
        "get_job_artifacts": "hume.batch.get_artifacts(id)",
        "create_config": "hume.configs.create(...)",
        "get_config": "hume.configs.get_version(id, version), or hume.configs.list_versions(id)",
        "iter_configs": "hume.configs.list()",
        "delete_config": "hume.configs.delete(id)",
    },
    "Batch": {
        "start_inference_job": "start_job(...)",
        "start_inference_job_from_local_file": "start_job(files=[...])",
        "submit_job": "start_job(...)",
        "get_job_details": "get_job(id)",
        "get_job_predictions": "get_predictions(id)",
        "get_job_artifacts": "get_artifacts(id)",
        "get_and_write_job_artifacts": "job(id).save_artifacts(path)",
        "list": "list_jobs()",
    },
    "Job": {
        "await_complete": "await job.wait()",
        "download_predictions": "await job.save_predictions(path)",
        "download_artifacts": "await job.save_artifacts(path)",
        "get_predictions": "await job.predictions()",
        "get_status": "await job.refresh(), then job.status",
        "get_details": "await job.refresh()",
        "job_id": "id",
    },
    "Pages": {
        "iter_pages": "pages()",
        "next_page": "pages(), and anext(...) on it",
        "has_next": "pages(), which ends after the last page",
        "items": "`async for`, or `(await pages).items` for those of the first page",
        "response": "`(await pages).envelope`",
    },
    "ChatSocket": {
        "send_publish": "send(...)",
        "send_user_input": "send_text(text)",
        "send_assistant_input": "speak(text)",
        "send_audio_input": "send_audio(data), which takes bytes and no base64",
        "send_session_settings": "send_settings({...})",
        "send_pause_assistant": "pause()",
        "send_resume_assistant": "resume()",
        "recv": "`async for event in chat`, or `await anext(chat)`",
        "start_listening": "`async for event in chat`",
        "on": "`async for event in chat`",
    },
    "Chat": {
        "connect_with_callbacks": "connect(...), and a loop over its events",
    },
    "Chats": {
        "list_chats": "list()",
        "list_chat_events": "list_events(id)",
        "get_audio": "hume.request(...): audio reconstruction has no method here",
    },
    "ChatGroups": {
        "list_chat_groups": "list()",
        "list_chat_group_events": "list_events(id)",
        "get_chat_group": "list(), or list_events(id)",
        "get_audio": "hume.request(...): audio reconstruction has no method here",
    },
}
"""What to write in place of the official SDK's names, its older clients' too, by class."""
_NOUNS = {"Configs": "config", "Prompts": "prompt", "Tools": "tool"}


def advise(cls: type, name: str) -> str:
    """Say what to write in place of a name that a class does not have.

    Args:
        cls: Class of the client, the resource or another object.
        name: The name.
    """
    message = f"{cls.__name__!r} object has no attribute {name!r}"
    own = {name for name in dir(cls) if not name.startswith("_")}
    for base in cls.__mro__:
        if name in NAMES.get(base.__name__, {}):
            return f"{message}; use {NAMES[base.__name__][name]}"
    without_noun = _without_noun(name, _NOUNS.get(cls.__name__, ""))
    if without_noun in own:
        return f"{message}; use {without_noun}(...)"
    if close := difflib.get_close_matches(name, sorted(own), n=1, cutoff=0.7):
        return f"{message}; did you mean {close[0]!r}?"
    return message


def _without_noun(name: str, noun: str) -> str:
    """Take the resource's own name out, so that `list_config_versions` is `list_versions`."""
    return "_".join(part for part in name.split("_") if not noun or part not in {noun, f"{noun}s"})
