"""Predictions and artifacts of the fake."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import aiohttp
import pytest
from raw_client import open_raw_client

from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

VIDEO = "https://media.example.com/talk.mp4"
ALL = {"face", "burst", "prosody", "language", "ner", "facemesh"}


async def predict(*urls: str, fake: dict[str, Any] | None = None, **body: Any) -> Any:
    async with open_raw_client(**(fake or {})) as call:
        job = await call.start(*urls, **body)
        return (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).result


def models_of(element: Any, file: int = 0) -> Any:
    return element["results"]["predictions"][file]["models"]


def first_of(element: Any, model: str) -> Any:
    return models_of(element)[model]["grouped_predictions"][0]["predictions"][0]


async def test_leaving_models_out_runs_all_six() -> None:
    (element,) = await predict(VIDEO)
    assert set(models_of(element)) == ALL
    assert all(models_of(element)[model]["grouped_predictions"] for model in ALL - {"ner"})


async def test_the_same_source_has_the_same_predictions_everywhere() -> None:
    alone = await predict(VIDEO, models={"face": {}})
    (_, beside) = await predict("https://media.example.com/b.mp4", VIDEO, models={"face": {}})
    assert alone == [beside]


async def test_different_sources_have_different_scores() -> None:
    one, two = await predict(VIDEO, VIDEO + "?again", models={"face": {}})
    assert first_of(one, "face")["emotions"] != first_of(two, "face")["emotions"]


async def test_a_face_has_48_expressions_and_what_else_was_asked_for() -> None:
    models: dict[str, Any] = {"face": {"facs": {}, "descriptions": {}, "identify_faces": True}}
    (element,) = await predict(VIDEO, models=models)
    (group,) = models_of(element)["face"]["grouped_predictions"]
    assert group["id"] == "face_0"
    assert [face["frame"] for face in group["predictions"]] == [0, 10, 20]
    face = group["predictions"][0]
    assert len({score["name"] for score in face["emotions"]}) == 48
    assert all(0 <= score["score"] <= 1 for score in face["emotions"])
    assert set(face["box"]) == {"x", "y", "w", "h"}
    assert face["facs"]
    assert face["descriptions"]


async def test_what_was_not_asked_for_is_left_out() -> None:
    (element,) = await predict(VIDEO, models={"face": {}, "language": {}})
    assert not {"facs", "descriptions"} & set(first_of(element, "face"))
    assert not {"sentiment", "toxicity"} & set(first_of(element, "language"))


async def test_language_has_53_expressions_sentiment_and_toxicity() -> None:
    (element,) = await predict(VIDEO, models={"language": {"sentiment": {}, "toxicity": {}}})
    word = first_of(element, "language")
    assert len({score["name"] for score in word["emotions"]}) == 53
    assert [score["name"] for score in word["sentiment"]] == list("123456789")
    assert sum(score["score"] for score in word["sentiment"]) == pytest.approx(1, abs=1e-4)
    assert len(word["toxicity"]) == 6
    assert models_of(element)["language"]["metadata"]["detected_language"] == "en"


async def test_words_of_a_text_stand_where_they_say() -> None:
    text = "We met Ada in Lisbon yesterday"
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", json={"text": [text]})
        job = reply.result["job_id"]
        (element,) = (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).result
    assert element["source"] == {"type": "text"}
    models = models_of(element)
    assert models["face"] == {"metadata": None, "grouped_predictions": []}
    words = models["language"]["grouped_predictions"][0]["predictions"]
    for word in words:
        assert text[word["position"]["begin"] : word["position"]["end"]] == word["text"]
    assert [word["text"] for word in words] == text.split()
    entities = models["ner"]["grouped_predictions"][0]["predictions"]
    assert [entity["entity"] for entity in entities] == ["Ada", "Lisbon"]


async def test_speakers_are_told_apart_when_asked() -> None:
    (element,) = await predict(VIDEO, models={"prosody": {"identify_speakers": True}})
    groups = models_of(element)["prosody"]["grouped_predictions"]
    assert [group["id"] for group in groups] == ["spk_0", "spk_1"]


async def test_windows_of_prosody_have_no_text() -> None:
    (element,) = await predict(VIDEO, models={"prosody": {"window": {"length": 2, "step": 0.5}}})
    group = models_of(element)["prosody"]["grouped_predictions"][0]["predictions"]
    assert all(prediction["text"] is None for prediction in group)
    assert group[1]["time"] == {"begin": 0.5, "end": 2.5}


async def test_without_transcription_there_is_no_language() -> None:
    (element,) = await predict(VIDEO, transcription=None)
    assert models_of(element)["language"]["grouped_predictions"] == []
    assert models_of(element)["prosody"]["metadata"] is None
    assert first_of(element, "prosody")["text"] is None


async def test_a_missing_source_has_an_error_and_no_results() -> None:
    good, bad = await predict(VIDEO, "https://media.example.com/missing.mp4")
    assert good["error"] is None
    assert bad["results"] is None
    assert bad["error"] == "missing.mp4 was not found"


async def test_an_archive_holds_several_files_and_one_may_be_broken() -> None:
    (element,) = await predict("https://media.example.com/broken.zip", models={"face": {}})
    files = [prediction["file"] for prediction in element["results"]["predictions"]]
    assert files == ["broken/clip-0.mp4", "broken/clip-1.mp4"]
    assert [error["file"] for error in element["results"]["errors"]] == ["broken/clip-2.mp4"]


async def test_frames_set_the_size() -> None:
    (element,) = await predict(VIDEO, models={"face": {}}, fake={"frames": 40})
    assert len(models_of(element)["face"]["grouped_predictions"][0]["predictions"]) == 40


async def test_sources_come_as_urls_files_texts() -> None:
    form = aiohttp.FormData()
    form.add_field("json", '{"urls": ["https://a.example/x.mp4"], "text": ["Hi there"]}')
    form.add_field("file", b"data", filename="y.wav")
    async with open_raw_client() as call:
        job = (await call("POST", "/v0/batch/jobs", data=form)).result["job_id"]
        found = (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).result
    assert [element["source"]["type"] for element in found] == ["url", "file", "text"]


async def test_artifacts_are_a_real_archive_of_tables() -> None:
    async with open_raw_client() as call:
        job = await call.start(VIDEO, "https://a.example/missing.wav", models={"face": {}})
        reply = await call("GET", "/v0/batch/jobs/{id}/artifacts", job)
    assert reply.headers["Content-Type"] == "application/octet-stream"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["000-talk.mp4/face.csv", "001-missing.wav/error.txt"]
        rows = list(csv.DictReader(io.StringIO(archive.read(archive.namelist()[0]).decode())))
    assert len(rows) == 3
    assert rows[0]["file"] == "talk.mp4"
    assert 0 <= float(rows[0]["Joy"]) <= 1


def test_two_fakes_give_the_same_ids() -> None:
    one, two = FakeHume(), FakeHume()
    assert list(one.upstream.evi.chats.chats) == list(two.upstream.evi.chats.chats)
