"""Names of the official SDK, and what they are called here.

It makes the message of an `AttributeError` for a name that a client or a resource does not have,
and is imported only then. It knows names and no calls.
"""

from __future__ import annotations

import difflib

CLIENT = {
    "expression_measurement": "hume.batch for jobs, hume.expression for the API of today",
    "empathic_voice": "hume.configs, hume.prompts, hume.tools, hume.chats, hume.chat_groups and "
    "hume.chat",
    "evi": "hume.chat.connect(...), hume.configs, hume.prompts, hume.tools and hume.chats",
    "custom_models": "hume.datasets, hume.files, hume.models and hume.jobs",
    "tts": "hume.request(...): speech synthesis is not part of this library, and has no methods",
    "stream": "hume.expression.connect_audio(...) or connect_video(...); the older streaming API "
    "has ended",
    "with_raw_response": "hume.request(...), which returns status, headers and bytes",
    "close": "await hume.aclose()",
}
RESOURCES = {
    "Batch": {
        "start_inference_job": "start_job(...)",
        "start_inference_job_from_local_file": "start_job(files=[...])",
        "submit_job": "start_job(...)",
        "get_job_details": "get_job(id)",
        "get_job_predictions": "get_predictions(id)",
        "get_job_artifacts": "get_artifacts(id)",
        "list": "list_jobs()",
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
_NOUNS = {"Configs": "config", "Prompts": "prompt", "Tools": "tool"}


def advise(cls: type, name: str, path: str = "") -> str:
    """Say what to write in place of a name that a class does not have.

    Args:
        cls: Class of the client or resource.
        name: The name.
        path: What stands before the name in a program, such as `hume`.
    """
    message = f"{cls.__name__!r} object has no attribute {name!r}"
    own = {name for name in dir(cls) if not name.startswith("_")}
    table = CLIENT if path else RESOURCES.get(cls.__name__, {})
    if name in table:
        return f"{message}; use {table[name]}"
    without_noun = _without_noun(name, _NOUNS.get(cls.__name__, ""))
    if without_noun in own:
        return f"{message}; use {without_noun}(...)"
    if close := difflib.get_close_matches(name, sorted(own), n=1, cutoff=0.7):
        return f"{message}; did you mean {close[0]!r}?"
    return message


def _without_noun(name: str, noun: str) -> str:
    """Take the resource's own name out, so that `list_config_versions` is `list_versions`."""
    return "_".join(part for part in name.split("_") if not noun or part not in {noun, f"{noun}s"})
