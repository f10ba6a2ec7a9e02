"""Reads the request that starts a job, and refuses what Hume would refuse.

Everything is checked by the published schema: names of models, names and ranges of their
settings, numbers of sources. The result is the request as job details echo it, with the
server's defaults filled in. The job store calls it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from humeai_async.testing.exchange import (
    Arrival,
    FormPart,
    Record,
    Refusal,
    as_list,
    as_record,
    invalid,
    read_json,
)
from humeai_async.testing.sources import Source, describe

MOST_SOURCES = 100
"""URLs, texts and files that one job takes of each."""
MOST_FILE_BYTES = 100 * 1024 * 1024
_DEFAULTS: dict[str, Record] = {
    "face": {
        "fps_pred": 3.0,
        "prob_threshold": 0.99,
        "identify_faces": False,
        "min_face_size": 60,
        "facs": None,
        "descriptions": None,
        "save_faces": False,
    },
    "burst": {},
    "prosody": {"granularity": "utterance", "window": None, "identify_speakers": False},
    "language": {
        "granularity": "word",
        "sentiment": None,
        "toxicity": None,
        "identify_speakers": False,
    },
    "ner": {"identify_speakers": False},
    "facemesh": {},
}
_TRANSCRIPTION: Record = {
    "language": None,
    "identify_speakers": False,
    "confidence_threshold": 0.5,
}
_WINDOW: Record = {"length": 4.0, "step": 1.0}
_GRANULARITIES = ("word", "sentence", "utterance", "conversational_turn")
_SHORTEST_WINDOW = 0.5
_LARGEST_NUMBER = 1e6
"""Of all settings; a larger one would only make times that JSON cannot say."""


def read_inference(arrival: Arrival) -> tuple[Record, tuple[Source, ...]]:
    """Read a request for an inference job, as JSON or as a multipart body.

    Returns:
        The request as echoed, and its sources: URLs, files, texts.

    Raises:
        Refusal: Something is wrong with it.
    """
    body, files = _body_and_files(arrival)
    urls, texts = read_strings(body, "urls"), read_strings(body, "text")
    registry = read_strings(body, "registry_files")
    if not (urls or texts or files or registry):
        raise invalid("At least one of urls, text, registry_files and file is needed")
    check_urls(urls)
    request: Record = {
        "models": _models(body),
        "transcription": _transcription(body),
        "urls": urls,
        "text": texts,
        "registry_files": registry or None,
        **read_notices(body),
        "files": [describe(part) for part in files],
    }
    sources = (
        *map(Source.of_url, urls),
        *(Source.of_url(f"https://assets.example.com/f/{file}") for file in registry),
        *map(Source.of_file, files),
        *map(Source.of_text, texts),
    )
    return request, sources


def read_notices(body: Record) -> Record:
    """Return the callback and notify fields, which are kept but never acted on.

    Raises:
        Refusal: One is of another type.
    """
    callback, notify = body.get("callback_url"), body.get("notify")
    if callback is not None and not isinstance(callback, str):
        raise invalid("callback_url must be a string")
    if notify is not None and not isinstance(notify, bool):
        raise invalid("notify must be true or false")
    return {"callback_url": callback, "notify": bool(notify)}


def _body_and_files(arrival: Arrival) -> tuple[Record, list[FormPart]]:
    if arrival.parts is None:
        return arrival.object(), []
    files = [part for part in arrival.parts if part.name == "file"]
    if len(files) > MOST_SOURCES:
        raise invalid(f"At most {MOST_SOURCES} files in a job")
    for part in files:
        if part.size > MOST_FILE_BYTES:
            raise Refusal(413, f"{part.filename} is over 100 MB", "E0101")
    unknown = {part.name for part in arrival.parts} - {"file", "json"}
    if unknown:
        raise invalid(f"Unknown parts: {', '.join(sorted(unknown))}")
    settings = arrival.part("json")
    if settings is None:
        return {}, files
    body = as_record(read_json(settings.content, "The part json"))
    if body is None:
        raise invalid("The part json must be a JSON object")
    return body, files


def check_urls(urls: list[str]) -> None:
    """Refuse what is not a URL of media.

    Raises:
        Refusal: One is no http or https URL with a host.
    """
    for url in urls:
        try:
            parts = urlsplit(url)
            is_url = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:  # such as http://[broken
            is_url = False
        if not is_url:
            raise invalid(f"urls: {url!r} is not a URL")


def read_strings(body: Record, name: str) -> list[str]:
    """Return a list of strings of a request; none where it is missing.

    Raises:
        Refusal: It is something else, or too long.
    """
    value = body.get(name)
    if value is None:
        return []
    items = as_list(value)
    if items is None or not all(isinstance(item, str) for item in items):
        raise invalid(f"{name} must be a list of strings")
    if len(items) > MOST_SOURCES:
        raise invalid(f"At most {MOST_SOURCES} {name} in a job")
    return items


def _models(body: Record) -> Record | None:
    if body.get("models") is None:
        return None
    models = as_record(body["models"])
    if models is None:
        raise invalid("models must be an object")
    echo: Record = {}
    for name, settings in models.items():
        if name not in _DEFAULTS:
            raise invalid(f"models: {name!r} is not a model")
        if settings is not None:
            echo[name] = _filled(f"models.{name}", settings, _DEFAULTS[name])
            _check_settings(name, settings, echo[name])
    return echo


def _check_settings(name: str, given: Record, settings: Record) -> None:
    granularity = settings.get("granularity")
    if granularity is not None and granularity not in _GRANULARITIES:
        raise invalid(f"models.{name}.granularity: {granularity!r} is unknown")
    if settings.get("window") is None:
        return
    if given.get("granularity") is not None:
        raise invalid("models.prosody: window and granularity exclude each other")
    window = _filled("models.prosody.window", settings["window"], _WINDOW)
    if min(window.values()) < _SHORTEST_WINDOW:
        raise invalid("models.prosody.window: at least 0.5 seconds")
    settings["window"] = window


def _transcription(body: Record) -> Record | None:
    if "transcription" in body and body["transcription"] is None:
        return None
    return _filled("transcription", body.get("transcription", {}), _TRANSCRIPTION)


def _filled(where: str, given: object, defaults: Record) -> Record:
    """Return settings with the server's defaults in place of missing and null ones."""
    settings = as_record(given)
    if settings is None:
        raise invalid(f"{where} must be an object")
    unknown = settings.keys() - defaults.keys()
    if unknown:
        raise invalid(f"{where}: unknown field {min(unknown)!r}")
    for name, value in settings.items():
        if value is not None and not _is_like(value, defaults[name]):
            raise invalid(f"{where}.{name}: {value!r} is of the wrong type")
    return {**defaults, **{name: v for name, v in settings.items() if v is not None}}


def _is_like(value: object, default: object) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return abs(value) <= _LARGEST_NUMBER
    if isinstance(default, str):
        return isinstance(value, str)
    return isinstance(value, (dict, str))
