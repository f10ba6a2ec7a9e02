"""`measure` and `decide` against a stand-in on a real socket."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest
from cli_support import COMMAND, environment, run
from live_support import picture, silence, speech, wav

from humeai_async.cli.questions import read_questions
from humeai_async.errors import InvalidArgumentError
from humeai_async.testing import FakeHume, Fault

pytestmark = pytest.mark.anyio

Words: TypeAlias = list[str | Path]

QUESTIONS = {
    "calm": {"type": "noul", "instructions": "Is the speaker calm?"},
    "who": {"type": "choice", "instructions": "Who speaks?", "criteria": ["a", "b"]},
}


def recordings(folder: Path, count: int) -> list[Path]:
    """Write recordings, each with a content of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"clip-{n:02}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(1.0, pitch=200 + number) + silence(0.2)))
    return paths


def question_file(folder: Path, questions: object = QUESTIONS) -> Path:
    path = folder / "questions.json"
    path.write_text(questions if isinstance(questions, str) else json.dumps(questions))
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_folder_of_recordings_is_measured(fake: FakeHume, tmp_path: Path) -> None:
    paths = recordings(tmp_path / "media", 4)
    (tmp_path / "media" / "cover.jpg").write_bytes(picture())
    (tmp_path / "media" / ".hidden.pdf").touch()
    out = tmp_path / "out"
    words: Words = ["measure", tmp_path / "media", "--no-images", "--out", out, "--json"]
    done = await run(words, fake)
    assert done.returncode == 0, done.stderr
    assert "passed over 1 of 5 files in " in done.stderr
    assert "(.jpg), for recordings are wanted" in done.stderr
    summary = json.loads(done.stdout)
    assert (summary["sources"], summary["arrived"]) == (4, 4)
    assert (summary["billed"], summary["unit"], summary["budget"]) == (40.0, "seconds", None)
    assert {str(path) for path in paths} == {
        line["source"] for line in lines_of(out / "measurements.jsonl")
    }
    with (out / "measurements.csv").open(newline="") as opened:
        assert {str(path) for path in paths} == {row["source"] for row in csv.DictReader(opened)}


async def test_questions_are_put_to_clips(fake: FakeHume, tmp_path: Path) -> None:
    paths = recordings(tmp_path, 3)
    asked = question_file(tmp_path, {"questions": QUESTIONS, "context": "A phone call."})
    out = tmp_path / "out"
    done = await run(["decide", "--questions", asked, *paths, "--out", out], fake)
    assert done.returncode == 0, done.stderr
    assert f"wrote {out / 'decisions.jsonl'}" in done.stdout
    assert "input tokens" in done.stdout
    assert "Decisions of the first results, with the share of raters" in done.stdout
    assert re.search(r"^ calm +yes \d+%", done.stdout, re.MULTILINE)
    assert re.search(r"^ who +[ab] \d+%", done.stdout, re.MULTILINE)
    for line in lines_of(out / "decisions.jsonl"):
        assert ["calm", "who"] == list(line["predictions"]["results"])
    assert {"A phone call."} == {one["request"]["context"] for one in fake.decisions.runs}


@pytest.mark.parametrize("command", ["measure", "decide"])
async def test_the_same_command_again_pays_nothing_again(
    fake: FakeHume, tmp_path: Path, command: str
) -> None:
    paths = recordings(tmp_path, 3)
    words: Words = [command, "--out", tmp_path / "out", "--json"]
    if command == "decide":
        words += ["--questions", question_file(tmp_path)]
    first = await run([*words, *paths[:2]], fake)
    again = await run([*words, *paths], fake)
    last = await run([*words, *paths], fake)
    assert [0, 0, 0] == [done.returncode for done in (first, again, last)]
    assert len(fake.decisions.runs) + len(fake.expression.runs) == 3
    lines = lines_of(Path(json.loads(last.stdout)["files"][0]))
    assert sorted(str(path) for path in paths) == sorted(line["source"] for line in lines)
    assert json.loads(again.stdout)["billed"] == json.loads(last.stdout)["billed"]


async def test_a_budget_leaves_sources_open_and_a_larger_one_goes_on(
    fake: FakeHume, tmp_path: Path
) -> None:
    words: Words = ["measure", *recordings(tmp_path / "media", 4), "--out", tmp_path / "out"]
    done = await run([*words, "--budget", "25"], fake)
    assert done.returncode == 1
    assert (
        "requests not sent: 2; the budget is used up, a larger --budget sends them" in done.stdout
    )
    assert len(fake.expression.runs) == 2
    done = await run([*words, "--budget", "40", "--json"], fake)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["billed"] == 40.0
    assert len(lines_of(tmp_path / "out" / "measurements.jsonl")) == 4


async def test_a_file_that_is_no_recording_fails_alone(fake: FakeHume, tmp_path: Path) -> None:
    (good,) = recordings(tmp_path, 1)
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"%PDF-1.7")
    done = await run(["measure", good, bad, "--out", tmp_path / "out"], fake)
    assert done.returncode == 1
    assert "1 failed: InvalidArgumentError" in done.stdout
    assert f"which holds no sound ({bad})" in done.stdout.replace("\n", " ")
    again = await run(["measure", good, "--out", tmp_path / "out"], fake)
    assert (again.returncode, "failed:" in again.stdout) == (0, False)
    assert len(lines_of(tmp_path / "out" / "measurements.jsonl")) == 2


async def test_images_are_measured_and_share_requests_if_asked(
    fake: FakeHume, tmp_path: Path
) -> None:
    media, out = tmp_path / "media", tmp_path / "out"
    recordings(media, 1)
    for number in range(4):
        (media / f"{number}.jpg").write_bytes(picture(seed=number))
    given = [media / "clip-00.wav", media / "0.jpg", media / "1.jpg"]
    done = await run(["measure", *given, "--out", out], fake)
    assert done.returncode == 0, done.stderr
    assert "2 images are billed 10 seconds each; --images-per-request 30" in done.stderr
    assert "Strongest expressions of the first results" in done.stdout
    assert re.search(r"^ voice +0:\d\d [a-z]+ .*\d+%", done.stdout, re.MULTILINE)
    assert re.search(r"^ image +\d x [a-z]+ .*\d+%", done.stdout, re.MULTILINE)
    assert len(fake.expression.runs) == 3
    words: Words = ["measure", media, "--images-per-request", "30", "--out", out]
    done = await run([*words, "--json"], fake)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["sources"], summary["arrived"], summary["billed"]) == (5, 5, 40.0)
    assert [1, 1, 1, 2] == [len(found) for found in fake.expression.files.values()]
    assert len(lines_of(out / "measurements.jsonl")) == 5


async def test_what_a_run_would_cost_is_told_and_nothing_is_sent(
    fake: FakeHume, tmp_path: Path
) -> None:
    paths, out = recordings(tmp_path, 3), tmp_path / "out"
    (tmp_path / "bad.wav").write_bytes(b"%PDF-1.7")
    words: Words = ["measure", *paths, paths[0], "--out", out, "--estimate", "--json"]
    done = await run(words, fake)
    told = json.loads(done.stdout)
    assert (done.returncode, told["to_send"], told["done"], told["cost"]) == (0, 3, 1, 30.0)
    assert not fake.requests
    assert not out.exists()
    await run(["measure", paths[0], "--out", out], fake)
    told = json.loads((await run(words, fake)).stdout)
    assert (told["to_send"], told["done"], told["cost"]) == (2, 2, 20.0)
    done = await run([*words[:-1], tmp_path / "bad.wav"], fake)
    assert done.returncode == 1
    assert f"which holds no sound ({tmp_path / 'bad.wav'})" in done.stdout.replace("\n", " ")
    assert len(fake.expression.runs) == 1
    words = ["decide", "--questions", question_file(tmp_path), *paths, "--estimate", "--json"]
    told = json.loads((await run(words, fake)).stdout)
    assert (told["to_send"], told["unit"]) == (3, "input tokens")
    assert fake.decisions.runs == []


async def test_a_lost_response_is_told_and_bought_again_only_if_asked(
    fake: FakeHume, tmp_path: Path
) -> None:
    fake.faults.add(Fault("reset", method="POST", path="*/file", after_work=True))
    words: Words = ["measure", *recordings(tmp_path / "media", 2), "--out", tmp_path / "out"]
    done = await run([*words, "--concurrency", "1"], fake)
    assert done.returncode == 1
    assert "1 failed: ResultLostError" in done.stdout
    assert len(fake.expression.runs) == 2
    done = await run([*words, "--retry-failed"], fake)
    assert done.returncode == 0, done.stderr
    assert len(fake.expression.runs) == 3


async def test_status_tells_of_these_runs_too(fake: FakeHume, tmp_path: Path) -> None:
    await run(["measure", *recordings(tmp_path, 2), "--out", tmp_path / "out"], fake)
    done = await run(["status", tmp_path / "out", "--json"])
    assert (done.returncode, json.loads(done.stdout)["arrived"]) == (0, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure"], "no sources"),
        (["measure", "https://x.example/a.wav"], "URLs are not fetched here: name a file"),
        (["measure", ".", "--out", "s3://bucket"], "--out is a URL"),
        (["measure", "a.wav", "--out", ""], "--out is empty"),
        (["measure", "a.wav", "--format", "parquet"], "'parquet' is not one of"),
        (["measure", "a.wav", "--format", "csv,parquet"], "'parquet' is not one of"),
        (["measure", "a.wav", "--format", "csv,"], "'' is not one of"),
        (["measure", "a.wav", "--timer", "2999"], "2999"),
        (["measure", "a.wav", "--budget", "0"], "0"),
        (["measure", "nowhere.wav"], "there is no such file or folder"),
        (["measure", "empty"], "the folder holds no recordings and JPEG images"),
        (["measure", "photos", "--no-images"], "the folder holds no recordings"),
        (["decide", "--questions", "questions.json", "empty"], "the folder holds no recordings"),
        (["decide", "a.wav"], "Missing option '--questions'"),
        (["decide", "--questions", "nowhere.json", "a.wav"], "nowhere.json: No such file"),
    ],
)
async def test_mistakes_in_the_command_are_told(
    fake: FakeHume, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recordings(tmp_path, 1)[0].rename("a.wav")
    question_file(tmp_path)
    Path("empty").mkdir()
    Path("photos").mkdir()
    Path("photos", "one.jpg").write_bytes(picture())
    done = await run(words, fake)
    assert (done.returncode, fake.requests) == (2, [])
    assert message in done.stderr.replace("\n", " ")


async def test_through_the_gateway_nothing_is_sent(tmp_path: Path) -> None:
    async with FakeHume(dialect="gateway-documented") as gateway:
        done = await run(["measure", *recordings(tmp_path, 1), "--out", tmp_path / "o"], gateway)
        assert done.returncode == 1
        assert "gateway" in done.stderr.lower()
        assert not gateway.requests


NOUL = '{"type": "noul", "instructions": "Calm?"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: it is no JSON"),
        ('{"calm": \n {,}}', "line 2, column 3: it is no JSON"),
        ("[]", "must hold an object of questions by id"),
        ("{}", "at least one question"),
        (f'{{"a": {NOUL}, "a": {NOUL}}}', "'a' is there twice"),
        ('{"calm": {"type": "noul"}}', "at /calm/instructions: calm: a noul question needs"),
        ('{"calm": {"type": "nool", "instructions": "?"}}', "at /calm/type: calm: type must be"),
        ('{"a": "Calm?"}', "at /a: a: a question is a Noul"),
        ('{"questions": {"a/b": {"type": "noul"}}}', "at /questions/a~1b/instructions"),
        (f'{{"questions": {{"a": {NOUL}}}, "context": 5}}', "at /context: context must be"),
        (f'{{"questions": {{"a": {NOUL}}}, "more": 5}}', "at /questions"),
        (f'{{"\\ud800": {NOUL}}}', "not UTF-8 text"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_file_that_holds_no_questions_is_refused_by_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = question_file(tmp_path, text)
    with pytest.raises(InvalidArgumentError, match=r"cannot use the questions of") as caught:
        read_questions(path)
    assert message in str(caught.value)


def test_a_question_may_be_called_questions(tmp_path: Path) -> None:
    path = question_file(tmp_path, f'{{"questions": {NOUL}}}')
    assert ["questions"] == list(read_questions(path))


@pytest.mark.slow
async def test_ctrl_c_says_what_is_there_and_the_same_command_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["measure", str(tmp_path / "media"), "--out", str(out), "--concurrency", "1"]
    recordings(tmp_path / "media", 8)
    async with FakeHume(latency=0.2) as fake:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - the command under test
            [*COMMAND, *words], env=environment(fake), stderr=subprocess.PIPE, text=True
        )
        while len(fake.expression.runs) < 3:
            await anyio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = await anyio.to_thread.run_sync(process.communicate)
        assert process.returncode == 130
        assert "of 8 results are in" in errors
        assert "run the same command again to continue" in errors
        done = await run(words, fake)
        assert done.returncode == 0, done.stderr
        assert len(fake.expression.runs) == 8
        lines = lines_of(out / "measurements.jsonl")
        assert len({line["source"] for line in lines}) == len(lines) == 8
        assert not [line for line in lines if "error" in line]
