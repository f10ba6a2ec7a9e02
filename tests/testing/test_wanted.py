"""Predictions that a test says in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from humeai_async import HumeAI
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

VIDEO = "https://media.example.com/talk.mp4"


async def run(hume: HumeAI, **request: Any) -> Any:
    job = await hume.batch.start_job(**request)
    await job.wait()
    return (await job.predictions())[0]


def scores(source: Any, model: str) -> list[list[tuple[str, float]]]:
    [file] = source.files
    groups = getattr(file.models, model).grouped_predictions
    return [
        [(one.name, one.score) for one in prediction.emotions.top(2)]
        for group in groups
        for prediction in group.predictions
    ]


async def test_all_predictions_of_a_model_have_the_scores(
    hume: HumeAI, fake_hume: FakeHume
) -> None:
    fake_hume.set_predictions(VIDEO, face={"Joy": 0.9, "Awe": 0.5})
    found = scores(await run(hume, urls=[VIDEO], models={"face": {}}), "face")
    assert found == [[("Joy", 0.9), ("Awe", 0.5)]] * 3


async def test_a_list_has_the_scores_of_each_prediction(hume: HumeAI, fake_hume: FakeHume) -> None:
    frames = [{"Joy": n / 10, "Awe": 0.05} for n in range(1, 8)]
    fake_hume.set_predictions("talk.mp4", face=frames)  # any URL of that name
    found = scores(await run(hume, urls=[VIDEO], models={"face": {}}), "face")
    assert [first for first, _ in found] == [("Joy", n / 10) for n in range(1, 8)]


async def test_an_empty_list_is_a_source_in_which_nothing_was_found(
    hume: HumeAI, fake_hume: FakeHume
) -> None:
    fake_hume.set_predictions(VIDEO, face=[])
    source = await run(hume, urls=[VIDEO], models={"face": {}, "prosody": {}})
    assert scores(source, "face") == []
    assert len(scores(source, "prosody")) == 3


async def test_a_text_is_named_by_itself(hume: HumeAI, fake_hume: FakeHume) -> None:
    fake_hume.set_predictions("Hm.", language=[{"Gratitude": 1, "Joy": 0.5}])
    source = await run(hume, text=["Hm."], models={"language": {}})
    assert scores(source, "language") == [[("Gratitude", 1.0), ("Joy", 0.5)]]


async def test_an_upload_is_named_by_its_file(
    hume: HumeAI, fake_hume: FakeHume, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"moving pictures")
    fake_hume.set_predictions(tmp_path / "a.mp4", error="it has no picture")
    source = await run(hume, files=[tmp_path / "a.mp4"])
    assert source.error == "it has no picture"


async def test_a_job_counts_the_sources_that_are_to_fail(hume: HumeAI, fake_hume: FakeHume) -> None:
    fake_hume.set_predictions(VIDEO, error="gone")
    job = await hume.batch.start_job(urls=[VIDEO])
    assert fake_hume.state(job.id)["num_errors"] == 1


async def test_what_is_said_after_the_job_ended_counts_too(
    hume: HumeAI, fake_hume: FakeHume
) -> None:
    job = await hume.batch.start_job(urls=[VIDEO], models={"face": {}})
    await job.wait()
    await job.predictions()
    fake_hume.set_predictions(VIDEO, face=[{"Joy": 1, "Awe": 0.5}])
    assert scores((await job.predictions())[0], "face") == [[("Joy", 1.0), ("Awe", 0.5)]]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"fase": {"Joy": 1}}, "no model 'fase'"),
        ({"face": {"Jo": 1}}, "did you mean 'Joy'"),
        ({"face": {"Gratitude": 1}}, "no expression 'Gratitude'"),
        ({"face": {"Joy": 1.5}}, "from 0 to 1"),
        ({"face": [{"Joy": float("nan")}]}, "from 0 to 1"),
    ],
)
def test_a_slip_of_a_test_is_named_at_once(
    fake_hume: FakeHume, wanted: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fake_hume.set_predictions(VIDEO, **wanted)


@pytest.mark.parametrize("wanted", ["Joy", ["Joy"]])
def test_scores_that_are_none_are_refused(fake_hume: FakeHume, wanted: Any) -> None:
    with pytest.raises(ValueError, match="face is a dict of scores, or a list of such"):
        fake_hume.set_predictions(VIDEO, face=wanted)
