"""What the hostile service says of jobs: their predictions, truthful in whatever shape.

Each prediction has a score that only this source and this model have, so a result in the wrong
hands shows (`score_of`). It knows no requests.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from attrs import frozen

Kind = Literal["urls", "text", "files"]
Json = dict[str, Any]

SHAPES = ("reordered", "renamed", "nameless", "extra", "twice", "filled", "punctual")
"""What can be done to what is told of a job without a lie; `filled` adds all default settings to
its request, `punctual` cuts its times to whole seconds. `other-words`, which is not drawn, tells
URLs that nobody can find in what was sent, and `no-models`, not either, leaves the models out."""
_DEFAULTS: dict[str, Json] = {
    "face": {
        "fps_pred": 3.0,
        "prob_threshold": 0.99,
        "identify_faces": False,
        "min_face_size": 60,
        "facs": None,
        "descriptions": None,
        "save_faces": False,
    },
    "language": {
        "granularity": "word",
        "sentiment": None,
        "toxicity": None,
        "identify_speakers": False,
    },
}
_TRANSCRIPTION = {"language": None, "identify_speakers": False, "confidence_threshold": 0.5}


@frozen
class Source:
    """One source of a job."""

    kind: Kind
    identity: str
    """The URL as it was given, the text, or the MD5 of a file."""
    filename: str | None = None
    content_type: str | None = None

    @property
    def name(self) -> str:
        """What a test can write its wishes into."""
        return str(self.filename or self.identity)

    @property
    def as_file(self) -> Json:
        """The record of an uploaded file."""
        return {
            "filename": self.filename,
            "content_type": self.content_type,
            "md5sum": self.identity,
        }


def score_of(identity: str, model: str = "language") -> float:
    """Return the score that a source has in the predictions of one model."""
    digest = hashlib.sha256(f"{model} {identity}".encode(errors="surrogatepass")).digest()
    return round(int.from_bytes(digest[:5]) / (1 << 40), 9)


def request_of(sources: Sequence[Source], request: Json, shapes: frozenset[str]) -> Json:
    """Return the request of a job as the service tells it."""
    told = dict(request)
    if "renamed" in shapes and "urls" in told:
        told["urls"] = [normal_form(one.identity) for one in sources]
    if "no-models" in shapes:
        told.pop("models", None)
    if "other-words" in shapes and "urls" in told:
        told["urls"] = [_other_words(one.identity) for one in sources]
    if "renamed" in shapes and "text" in told:
        told["text"] = [one.identity.strip() for one in sources]
    if "filled" in shapes:
        models = {name: _DEFAULTS.get(name, {}) | given for name, given in told["models"].items()}
        kinds: Json = {kind: told.get(kind) or [] for kind in ("urls", "text", "files")}
        told |= {"models": models, "transcription": _TRANSCRIPTION, **kinds}
        told |= {"callback_url": None, "notify": False, "registry_files": []}
    return told


def results_of(
    sources: Sequence[Source], models: Json, shapes: frozenset[str], dice: random.Random
) -> list[Json]:
    """Return the predictions of a job."""
    found = [_result(one, models, shapes) for one in sources]
    if "twice" in shapes:
        found.append(found[0])
    if "extra" in shapes:
        stranger = Source("urls", "https://others.example.com/x.mp4")
        found.insert(0, _result(stranger, models, shapes))
    if "reordered" in shapes:
        dice.shuffle(found)
    return found


def normal_form(url: str) -> str:
    """Return a URL as services tell it: host in lower case and ASCII, `%20`, a slash for a path."""
    parts = urlsplit(url)
    host = parts.netloc.lower().encode("idna").decode()
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{host}{path}{query}"


def _other_words(url: str) -> str:
    """Return a URL as a service tells it that names its own copy."""
    return f"s3://copies/{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def _result(one: Source, models: Json, shapes: frozenset[str]) -> Json:
    source: Json = {"type": {"urls": "url", "text": "text", "files": "file"}[one.kind]}
    if one.kind == "urls":
        source["url"] = normal_form(one.identity) if "renamed" in shapes else one.identity
        if "other-words" in shapes:
            source["url"] = _other_words(one.identity)
    elif one.kind == "files":
        source |= one.as_file
        if "nameless" in shapes:
            source["filename"] = None
    if "missing" in one.name:
        return {"source": source, "results": None, "error": "it was not found"}
    found = {model: _model_results(model, one) for model in models or {"language": {}}}
    file = {"file": one.name, "file_type": "video", "models": found}
    return {"source": source, "results": {"predictions": [file], "errors": []}, "error": None}


def _model_results(model: str, one: Source) -> Json:
    emotions = [{"name": "Joy", "score": score_of(one.identity, model)}]
    if model == "language":
        found = [{**word, "emotions": emotions} for word in _words(one)]
    elif model == "face":
        box = {"x": 1, "y": 1, "w": 1, "h": 1}
        found = [{"frame": 0, "time": 0.0, "prob": 1.0, "box": box, "emotions": emotions}]
    else:
        found = [{"time": {"begin": 0.0, "end": 1.0}, "emotions": emotions}]
    return {"metadata": None, "grouped_predictions": [{"id": "unknown", "predictions": found}]}


def _words(one: Source) -> list[Json]:
    """Repeat a text word by word, as the language model does."""
    text = one.identity if one.kind == "text" else "what was spoken"
    words: list[Json] = []
    begin = 0
    for word in text.split():
        begin = text.index(word, begin)
        end = begin + len(word)
        words.append({"text": word, "position": {"begin": begin, "end": end}})
        begin = end
    return words
