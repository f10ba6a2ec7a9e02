"""The examples of requests and errors of the newer products, sent and received."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from live_support import clip, speech, wav
from support import client_of, jpeg_file

from humeai_async import APIStatusError, HumeAI, Retry
from humeai_async.decisions import Noul
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

ANSWERS = Path(__file__).parents[1] / "samples" / "answers"


def example(name: str) -> Any:
    return json.loads((ANSWERS / f"extra_{name}.json").read_bytes())


ERRORS = [
    pytest.param(product, error, id=f"{product}-{error['status']}-{number}")
    for product in ("em", "ad")
    for number, error in enumerate(example(f"{product}_http_errors"))
]


@pytest.mark.parametrize(("product", "error"), ERRORS)
async def test_an_error_keeps_all_that_the_service_says(
    fake: FakeHume, product: str, error: dict[str, Any]
) -> None:
    body = error["body"]
    fake.faults.add(Fault("status", status=error["status"], body=json.dumps(body).encode()))
    async with client_of(fake, retry=Retry(attempts=1)) as hume:
        call = (
            hume.expression.measure_audio(wav(speech(1)))
            if product == "em"
            else hume.decisions.create(clip(), {"a": Noul("Calm?")})
        )
        with pytest.raises(APIStatusError) as caught:
            await call
    problem = caught.value
    assert problem.status == error["status"]
    assert json.loads(problem.body) == body
    assert body["message"] in str(problem)
    assert (problem.code, problem.param) == (body.get("code"), body.get("param"))


async def test_settings_go_out_as_in_the_examples(
    hume: HumeAI, fake: FakeHume, tmp_path: Path
) -> None:
    audio, video = example("em_measure_audio_config"), example("em_measure_video_config")
    await hume.expression.measure_audio(wav(speech(1)), **audio)
    await hume.expression.measure_images([jpeg_file(tmp_path / "a.jpg", 1)], **video)
    for request, expected in zip(fake.requests, (audio, video), strict=True):
        assert request.parts is not None
        assert json.loads(request.parts[0].content) == expected


async def test_an_estimate_goes_out_as_in_the_example(hume: HumeAI, fake: FakeHume) -> None:
    expected = example("ad_estimate_input_tokens_request")
    await hume.decisions.estimate(**expected)
    assert json.loads(fake.requests[0].body) == expected
