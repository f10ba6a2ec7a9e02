"""Full predictions for each source of a job, always the same for the same source.

A pure function of the source, the requested models and the sizes; it knows no job and no
clock. The job store calls it and keeps the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from humeai_async.testing import scores as names
from humeai_async.testing.exchange import Record
from humeai_async.testing.scores import evolving, rng, scores, shares
from humeai_async.testing.sources import Source
from humeai_async.testing.wanted import Wanted, find_wanted

_SENTENCES = (
    "The launch in Lisbon went better than we feared.",
    "Nobody in Porto had expected that much rain.",
    "She laughed and asked for one more song.",
    "We will try again in Oslo on Monday.",
    "That is the quietest morning of the year.",
)
_ARCHIVE_FILES = 3
_MOST_UNITS = 500
"""Words of a text that get predictions; longer texts would only make longer responses."""


@frozen
class Recipe:
    """What of a job its predictions depend on."""

    models: Record
    """Requested models, with their settings; empty means all."""
    transcribed: bool = True
    """Whether speech is turned into text."""
    frames: int = 3
    """Frames with a face, and sentences that are spoken."""
    wanted: Mapping[str, Wanted] = field(factory=dict[str, Wanted], repr=False)
    """What tests want, by source."""


@frozen
class _Scene:
    """One file of a source, on its way through the models."""

    key: tuple[str, str]
    """Source and file, for the scores."""
    source: Source
    file_type: str
    fitting: tuple[str, ...]
    recipe: Recipe
    text: str = field(default="", repr=False)

    @property
    def is_media(self) -> bool:
        return self.source.kind != "text" and self.file_type != "text"

    @property
    def metadata(self) -> Record | None:
        if not (self.is_media and self.recipe.transcribed):
            return None
        confidence = round(rng(*self.key, "transcript").uniform(0.7, 0.99), 4)
        return {"confidence": confidence, "detected_language": "en"}


def predict_source(source: Source, recipe: Recipe) -> Record:
    """Return the element that a source has in the predictions of its job."""
    error = _error_of(source, recipe)
    if error is not None:
        return {"source": source.record, "results": None, "error": error}
    files, failed = _files(source)
    results = {
        "predictions": [_predict_file(source, file, recipe) for file in files],
        "errors": [{"message": "the media could not be read", "file": file} for file in failed],
    }
    return {"source": source.record, "results": results, "error": None}


def count(source: Source, recipe: Recipe) -> tuple[int, int]:
    """Return how many files of a source have predictions, and how many errors it has."""
    if _error_of(source, recipe) is not None:
        return 0, 1
    files, failed = _files(source)
    return len(files), len(failed)


def _error_of(source: Source, recipe: Recipe) -> str | None:
    wanted = find_wanted(source, recipe.wanted).error
    if wanted is None and source.is_marked("missing"):
        return f"{source.name} was not found"
    return wanted


def _files(source: Source) -> tuple[list[str], list[str]]:
    if source.is_archive:
        stem = source.name.split(".")[0]
        files = [f"{stem}/clip-{number}.mp4" for number in range(_ARCHIVE_FILES)]
    else:
        files = [source.name]
    broken = 1 if source.is_marked("broken") else 0
    return files[: len(files) - broken], files[len(files) - broken :]


def _predict_file(source: Source, file: str, recipe: Recipe) -> Record:
    media = Source.of_url(f"file:///{file}") if source.is_archive else source
    text = (
        source.identity if source.kind == "text" else _speech(source.identity, file, recipe.frames)
    )
    scene = _Scene((source.identity, file), source, media.file_type, media.models, recipe, text)
    wanted = recipe.models or dict.fromkeys(_MODELS)
    models = {name: _predict_model(scene, name, settings) for name, settings in wanted.items()}
    return {"file": file, "file_type": media.file_type, "models": models}


def _predict_model(scene: _Scene, name: str, settings: Record | None) -> Record:
    make, from_speech = _MODELS[name]
    wanted = find_wanted(scene.source, scene.recipe.wanted)
    if name not in scene.fitting and name not in wanted.scores:
        return {"metadata": None, "grouped_predictions": []}
    count = wanted.count(name)
    if count is not None:  # in a picture there is one frame, whatever is wanted
        scene = evolve(scene, recipe=evolve(scene.recipe, frames=count))
    groups: dict[str, list[Record]] = {}
    for group, prediction in wanted.apply(name, list(make(scene, settings or {}))):
        groups.setdefault(group, []).append(prediction)
    return {
        "metadata": scene.metadata if from_speech else None,
        "grouped_predictions": [
            {"id": group, "predictions": found} for group, found in groups.items()
        ],
    }


_Found = Iterable[tuple[str, Record]]


def _face(scene: _Scene, settings: Record) -> _Found:
    group = "face_0" if settings.get("identify_faces") else "unknown"
    step = 1.0 / max(float(settings.get("fps_pred") or 3.0), 0.01)
    draw = rng(*scene.key, "box")
    box = {"x": draw.uniform(0, 400), "y": draw.uniform(0, 200), "w": 188.0, "h": 241.75}
    arc = draw.choice(names.FACE_ARCS)
    frames = 1 if scene.file_type == "image" else scene.recipe.frames
    for place in range(frames):
        key = (*scene.key, "face", place)
        prediction: Record = {
            "frame": place * 10,
            "time": round(place * step, 4),
            "prob": round(rng(*key, "prob").uniform(0.99, 1.0), 6),
            "box": {**box, "x": round(box["x"] + place, 2), "y": round(box["y"], 2)},
            "emotions": evolving(names.EXPRESSIONS, arc, place / max(frames - 1, 1), *key),
        }
        if settings.get("facs") is not None:
            prediction["facs"] = scores(names.FACS, *key, "facs")
        if settings.get("descriptions") is not None:
            prediction["descriptions"] = scores(names.FACE_DESCRIPTIONS, *key, "descriptions")
        yield group, prediction


def _burst(scene: _Scene, _: Record) -> _Found:
    begin = round(rng(*scene.key, "burst").uniform(0, 5), 2)
    yield (
        "unknown",
        {
            "time": {"begin": begin, "end": round(begin + 0.8, 2)},
            "emotions": scores(names.EXPRESSIONS, *scene.key, "burst"),
            "descriptions": scores(names.BURST_DESCRIPTIONS, *scene.key, "burst", "kind"),
        },
    )


def _prosody(scene: _Scene, settings: Record) -> _Found:
    window: Record | None = settings.get("window")
    step = float((window or {}).get("step") or 3.0)
    length = float((window or {}).get("length") or 2.6)
    transcribed = window is None and scene.recipe.transcribed
    units = _units(scene.text, "sentence")
    for place, (text, _) in enumerate(units):
        speaker = _speaker(scene, settings, place)
        arc, progress = names.SPEAKER_ARCS[place % 2], place / max(len(units) - 1, 1)
        yield (
            speaker["id"],
            {
                "text": text if transcribed else None,
                "time": {"begin": round(place * step, 2), "end": round(place * step + length, 2)},
                "confidence": _confidence(scene, "prosody", place) if transcribed else None,
                "speaker_confidence": speaker["confidence"],
                "emotions": evolving(
                    names.EXPRESSIONS, arc, progress, *scene.key, "prosody", place
                ),
            },
        )


def _language(scene: _Scene, settings: Record) -> _Found:
    if scene.is_media and not scene.recipe.transcribed:
        return
    granularity = settings.get("granularity") or "word"
    for place, (text, begin) in enumerate(_units(scene.text, granularity)):
        key = (*scene.key, "language", place)
        speaker = _speaker(scene, settings, place // 8)
        prediction: Record = {
            "text": text,
            "position": {"begin": begin, "end": begin + len(text)},
            **_spoken(scene, place, speaker),
            "emotions": scores(names.LANGUAGE_EXPRESSIONS, *key),
        }
        if settings.get("sentiment") is not None:
            prediction["sentiment"] = shares(names.SENTIMENT, *key, "sentiment")
        if settings.get("toxicity") is not None:
            prediction["toxicity"] = scores(names.TOXICITY, *key, "toxicity")
        yield speaker["id"], prediction


def _ner(scene: _Scene, settings: Record) -> _Found:
    if scene.is_media and not scene.recipe.transcribed:
        return
    words = [unit for unit in _units(scene.text, "word") if unit[0][:1].isupper() and unit[1] > 0]
    for place, (word, begin) in enumerate(words):
        entity = word.strip(".,;:!?\"'()")
        speaker = _speaker(scene, settings, place)
        yield (
            speaker["id"],
            {
                "entity": entity,
                "position": {"begin": begin, "end": begin + len(entity)},
                "entity_confidence": _confidence(scene, "ner", place),
                "support": float(rng(*scene.key, "support", place).randrange(1, 20_000)),
                "uri": f"http://dbpedia.example.org/resource/{entity}",
                "link_word": entity,
                **_spoken(scene, place, speaker),
                "emotions": scores(names.LANGUAGE_EXPRESSIONS, *scene.key, "ner", place),
            },
        )


def _facemesh(scene: _Scene, _: Record) -> _Found:
    yield "unknown", {"emotions": scores(names.EXPRESSIONS, *scene.key, "facemesh")}


_MODELS: dict[str, tuple[Callable[[_Scene, Record], _Found], bool]] = {
    "face": (_face, False),
    "burst": (_burst, False),
    "prosody": (_prosody, True),
    "language": (_language, True),
    "ner": (_ner, True),
    "facemesh": (_facemesh, False),
}
"""How each model predicts, and whether it works on speech."""


def _speech(identity: str, file: str, sentences: int) -> str:
    draw = rng(identity, file, "speech")
    return " ".join(draw.choice(_SENTENCES) for _ in range(sentences))


def _units(text: str, granularity: str) -> list[tuple[str, int]]:
    """Split a text into pieces with their places."""
    pattern = {"word": r"\S+", "sentence": r"[^\s.!?][^.!?]*[.!?]*"}.get(granularity)
    if pattern is None:
        return [(text, 0)] if text else []
    return [(m.group(), m.start()) for m in re.finditer(pattern, text)][:_MOST_UNITS]


def _speaker(scene: _Scene, settings: Record, place: int) -> dict[str, Any]:
    if not settings.get("identify_speakers") or not scene.is_media:
        return {"id": "unknown", "confidence": None}
    return {"id": f"spk_{place % 2}", "confidence": _confidence(scene, "speaker", place)}


def _spoken(scene: _Scene, place: int, speaker: dict[str, Any]) -> Record:
    if not scene.is_media:
        return {"time": None, "confidence": None, "speaker_confidence": None}
    return {
        "time": {"begin": round(place * 0.3, 2), "end": round(place * 0.3 + 0.26, 2)},
        "confidence": _confidence(scene, "word", place),
        "speaker_confidence": speaker["confidence"],
    }


def _confidence(scene: _Scene, *key: object) -> float:
    return round(rng(*scene.key, *key, "confidence").uniform(0.6, 0.99), 4)


def predict_custom(source: Source, recipe: Recipe, model: str) -> Record:
    """Return the element that a source has in the predictions of a custom model."""
    element = predict_source(source, recipe)
    if element["results"] is None:
        return element
    labels = ("angry", "calm")
    files = [
        {
            "file": file["file"],
            "file_type": file["file_type"],
            "custom_models": {
                model: {
                    "output": {
                        share["name"]: share["score"]
                        for share in shares(labels, source.identity, file["file"], model)
                    },
                    "error": "",
                    "task_type": "classification",
                }
            },
        }
        for file in element["results"]["predictions"]
    ]
    return {**element, "results": {**element["results"], "predictions": files}}
