"""Files that the service would refuse, or take money for and then refuse, are not sent."""

from __future__ import annotations

from typing import Any

import pytest
from live_support import mp3, picture, silence, wav

from humeai_async import HumeAI, InvalidArgumentError, Upload
from humeai_async.expression import uploads
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (picture(8, 8), "files must be a list"),
        ("photo.jpg", "files must be a list"),
        ([], "at least one image"),
        ([Upload(picture(60_000, 60_000))], "60000 x 60000 pixels"),
        ([Upload(picture(8, 8, 1_900_000))] * 14, "the images have 26.6 MB together"),
    ],
    ids=["bytes", "a name", "none", "pixels", "too many"],
)
async def test_images_that_cannot_be_sent_are_refused_by_reason(
    hume: HumeAI, fake: FakeHume, files: Any, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        await hume.expression.measure_images(files, face={})
    assert fake.requests == []


@pytest.mark.parametrize("recording", [wav(silence(2.0), rate=8000), mp3(2.0)], ids=["wav", "mp3"])
async def test_a_recording_that_turns_out_too_long_is_refused(
    hume: HumeAI, fake: FakeHume, monkeypatch: pytest.MonkeyPatch, recording: bytes
) -> None:
    monkeypatch.setattr(uploads, "LARGEST_SAMPLES", 16_000)
    with pytest.raises(InvalidArgumentError, match="longer than 13 minutes"):
        await hume.expression.measure_audio(Upload(recording))
    assert fake.requests == []
