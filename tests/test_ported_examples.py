"""The official package's examples, ported with the guide at hand, do what they did.

The programs are in `tests/support/ported`; the type checkers read them as strictly as all else.
"""

from __future__ import annotations

import json
import runpy
import zipfile
from pathlib import Path

import pytest
from live_support import silence, wav
from ported import batch_jobs, conversations, readme

from humeai_async import HumeAI
from humeai_async.testing import FakeHume, tool_call

pytestmark = pytest.mark.anyio


async def finished_job(hume: HumeAI) -> str:
    job = await hume.batch.start_job(urls=[batch_jobs.LAUGH], models={"prosody": {}})
    await job.wait(timeout=60)
    return job.id


async def test_the_configs_are_listed(hume: HumeAI, fake_hume: FakeHume) -> None:
    fake_hume.add_config(name="Guide")
    assert "Guide" in await readme.list_configs(hume)


async def test_the_artifacts_of_a_job_are_written_to_a_file(hume: HumeAI, tmp_path: Path) -> None:
    path = tmp_path / "artifacts.zip"
    await readme.write_artifacts(hume, await finished_job(hume), path)
    assert zipfile.is_zipfile(path)


async def test_an_error_has_a_status_and_a_text(hume: HumeAI) -> None:
    assert await readme.report_failure(hume) == (404, "Job not found")


async def test_tools_come_by_item_by_page_and_one_page_after_the_other(hume: HumeAI) -> None:
    made = [await hume.tools.create(name=f"tool-{n}", parameters={}) for n in range(5)]
    items, sizes, two_pages = await readme.page_through_tools(hume)
    assert set(items) == {tool.id for tool in made}
    assert sizes == [2, 2, 1]
    assert two_pages == items[:4]


async def test_some_calls_have_other_retries_and_timeouts(hume: HumeAI) -> None:
    assert await readme.patiently(hume, await finished_job(hume)) == 1


async def test_faces_come_with_the_actions_they_consist_of(hume: HumeAI) -> None:
    [(expressions, actions), *_] = await batch_jobs.facial_action_coding_system(hume)
    assert len(expressions) == 3
    assert actions


async def test_a_voice_has_speech_and_bursts(hume: HumeAI, fake_hume: FakeHume) -> None:
    fake_hume.set_predictions(batch_jobs.LAUGH, prosody={"Joy": 0.9}, burst={"Amusement": 0.8})
    spoken, sounds = await batch_jobs.voice_expression(hume)
    assert (spoken[0], sounds[0]) == (("Joy", 0.9), ("Amusement", 0.8))


async def test_words_have_a_sentiment(hume: HumeAI) -> None:
    words = await batch_jobs.text_sentiment(hume)
    assert {level[0].name for _, _, level in words} <= {str(n) for n in range(1, 10)}
    assert all(len(expressions) == 3 for _, expressions, _ in words)


async def test_sentences_have_a_toxicity(hume: HumeAI) -> None:
    assert all(0 <= toxicity <= 1 for toxicity in await batch_jobs.text_toxicity(hume))


async def test_entities_have_expressions(hume: HumeAI) -> None:
    assert all(name and scores for name, scores in await batch_jobs.text_entities(hume))


@pytest.mark.parametrize("language", [None, "fr"])
async def test_a_recording_is_transcribed(
    hume: HumeAI, fake_hume: FakeHume, language: str | None
) -> None:
    assert all(await batch_jobs.transcribe(hume, language))
    [sent] = [one for one in fake_hume.requests if one.method == "POST"]
    expected = {} if language is None else {"language": language}
    assert json.loads(sent.body)["transcription"] == expected


async def test_a_file_of_ones_own_is_measured_and_all_its_results_saved(
    hume: HumeAI, tmp_path: Path
) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(silence(0.1)))
    assert await batch_jobs.local_file(hume, path) == "recording.wav"
    assert json.loads(path.with_suffix(".json").read_text())
    assert zipfile.is_zipfile(path.with_suffix(".zip"))


async def test_a_span_of_a_film_has_averages_and_peaks(hume: HumeAI, fake_hume: FakeHume) -> None:
    frames = [{"Joy": 0.9, "Awe": 0.5}, {"Joy": 0.8, "Awe": 0.1}]
    fake_hume.set_predictions("film.mp4", face=frames)
    strongest, peaks = await batch_jobs.averages(hume, 0, 12)
    assert strongest[:2] == ["Joy", "Awe"]
    assert set(peaks) == {"Joy"}


async def test_a_config_is_created_fetched_listed_and_deleted(hume: HumeAI) -> None:
    name, before, after = await conversations.use_configs(hume)
    assert name == "poet"
    assert len(before) == len(after) + 1


async def test_a_chat_gives_lines_and_sound(hume: HumeAI, fake_hume: FakeHume) -> None:
    lines, sound = await conversations.quickstart(hume, fake_hume.add_config(), "Good morning!")
    assert lines[0].startswith("<chat_metadata>")
    assert lines[1:] == ["user: Good morning!", "assistant: You said: Good morning!"]
    assert sound.startswith(b"RIFF")


async def test_tools_that_the_assistant_calls_are_run(hume: HumeAI, fake_hume: FakeHume) -> None:
    place = {"location": "Porto"}
    fake_hume.chat.tool_calls.append(tool_call("get_current_weather", place))
    replies = await conversations.call_functions(hume, "What is the weather?")
    assert replies == ["The tool says: It rains in Porto."]


async def test_a_tool_that_is_not_there_is_an_error_for_the_assistant(
    hume: HumeAI, fake_hume: FakeHume
) -> None:
    fake_hume.chat.tool_calls.append(tool_call("get_tides", {}))
    replies = await conversations.call_functions(hume, "When is high tide?")
    assert replies == ["The tool says: there is no tool get_tides"]


async def test_a_chats_history_becomes_a_transcript(hume: HumeAI, fake_hume: FakeHume) -> None:
    chat = fake_hume.add_chat()
    events = await conversations.fetch_events(hume, chat.id)
    assert "USER: " in conversations.transcript(events)
    assert len(conversations.strongest(events)) == 3
    assert await conversations.find_chat(hume, "no-such-chat") == 404


def test_a_program_of_evi_without_a_cast_talks_and_deletes_what_it_made(
    fake_hume: FakeHume, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    fake_hume.add_chat()
    runpy.run_path(str(Path(__file__).parent / "typing" / "evi_program.py"))
    assert b"You said: Hello from" in capfdbinary.readouterr().out
    assert fake_hume.count(method="DELETE", path="/v0/evi/configs/*/version/*") == 1
