"""The official package's notebooks on batch jobs, written with this library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from humeai_async import ExpressionScore, FilePredictions, HumeAI, Predictions, Scores
from humeai_async.types.dicts import ModelsDict, TranscriptionDict

FACE = "https://media.example.com/portrait.png"
LAUGH = "https://media.example.com/laugh.mp3"
SPEECH = "https://media.example.com/speech.txt"
FOREIGN = "https://media.example.com/discours.mp3"


async def run(
    hume: HumeAI, url: str, models: ModelsDict, transcription: TranscriptionDict | None = None
) -> Predictions:
    """Start a job, wait for it, and fetch what it found."""
    job = await hume.batch.start_job(urls=[url], models=models, transcription=transcription)
    await job.wait(timeout=600)
    return await job.predictions()


def files(predictions: Predictions) -> Iterator[FilePredictions]:
    """All files of all sources."""
    for source in predictions:
        yield from source.files


async def facial_action_coding_system(
    hume: HumeAI,
) -> list[tuple[list[ExpressionScore], Scores | None]]:
    """Facial expressions, and the actions of the face that they consist of."""
    predictions = await run(hume, FACE, {"face": {"facs": {}}})
    return [
        (frame.emotions.top(3), frame.facs)
        for file in files(predictions)
        if file.models.face is not None
        for group in file.models.face.grouped_predictions
        for frame in group.predictions
    ]


async def voice_expression(hume: HumeAI) -> tuple[list[ExpressionScore], list[ExpressionScore]]:
    """The strongest expressions of speech, and of sounds that are no speech."""
    predictions = await run(hume, LAUGH, {"burst": {}, "prosody": {}})
    models = predictions[0].files[0].models
    spoken = models.prosody.grouped_predictions if models.prosody else []
    sounds = models.burst.grouped_predictions if models.burst else []
    return spoken[0].predictions[0].emotions.top(3), sounds[0].predictions[0].emotions.top(3)


async def text_sentiment(
    hume: HumeAI,
) -> list[tuple[str | None, list[ExpressionScore], list[ExpressionScore]]]:
    """Words with the strongest expressions and levels of sentiment."""
    predictions = await run(hume, SPEECH, {"language": {"sentiment": {}}})
    return [
        (word.text, word.emotions.top(3), word.sentiment.top(1) if word.sentiment else [])
        for file in files(predictions)
        if file.models.language is not None
        for group in file.models.language.grouped_predictions
        for word in group.predictions
    ]


async def text_toxicity(hume: HumeAI) -> list[float]:
    """The strongest toxicity of each sentence."""
    predictions = await run(hume, SPEECH, {"language": {"granularity": "sentence", "toxicity": {}}})
    return [
        sentence.toxicity.top(1)[0].score
        for file in files(predictions)
        if file.models.language is not None
        for group in file.models.language.grouped_predictions
        for sentence in group.predictions
        if sentence.toxicity is not None
    ]


async def text_entities(hume: HumeAI) -> list[tuple[str | None, list[ExpressionScore]]]:
    """Named entities, and the expressions around them."""
    predictions = await run(hume, SPEECH, {"ner": {}})
    return [
        (entity.entity, entity.emotions.top(3))
        for file in files(predictions)
        if file.models.ner is not None
        for group in file.models.ner.grouped_predictions
        for entity in group.predictions
    ]


async def transcribe(hume: HumeAI, language: str | None = None) -> list[str | None]:
    """Words of a recording in a language that is named, or detected."""
    transcription: TranscriptionDict = {"language": language} if language else {}
    predictions = await run(hume, FOREIGN, {"language": {}}, transcription)
    return [
        word.text
        for file in files(predictions)
        if file.models.language is not None
        for group in file.models.language.grouped_predictions
        for word in group.predictions
    ]


async def local_file(hume: HumeAI, path: Path) -> str | None:
    """A job for a file of one's own, and its artifacts."""
    job = await hume.batch.start_job(files=[path], models={"prosody": {}})
    await job.wait(timeout=600)
    await job.save_predictions(path.with_suffix(".json"))
    await job.save_artifacts(path.with_suffix(".zip"))
    return (await job.predictions())[0].files[0].file


async def averages(hume: HumeAI, begin: float, end: float) -> tuple[list[str], dict[str, float]]:
    """The five strongest expressions of a span of a video, and those with a peak."""
    predictions = await run(hume, "https://media.example.com/film.mp4", {"face": {}})
    sums: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for file in files(predictions):
        for group in file.models.face.grouped_predictions if file.models.face else []:
            for frame in group.predictions:
                if not begin <= frame.time <= end:
                    continue
                for name, score in frame.emotions:
                    sums[name] = sums.get(name, 0.0) + score
                    if score >= 0.7:
                        peaks[name] = frame.time
    return sorted(sums, key=lambda name: sums[name], reverse=True)[:5], peaks
