"""Bodies that no service should send: the stated error or the right result, and never a crash.

Every kind of decoder meets every kind of bad body. What might crash, hang or eat memory runs in
an interpreter of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from fuzzing import budget
from rawserver import RawServer, answer, raw

from humeai_async import BadRequestError, DecodeError, HumeAI, HumeError, Retry, catalog
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.sinks import Sinks, SourceOutcome
from humeai_async.http import codec
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.messages import Response
from humeai_async.http.status_errors import to_error
from humeai_async.types.chat import ServerEvent
from humeai_async.types.predictions.measurements import FacePrediction
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.score_table import MOST_NAMES, ScoreTable

FACES = "$[0].results.predictions[0].models.face.grouped_predictions[0].predictions"
FACE = f"{FACES}[0]"
IS_WHOLE = bool(os.environ.get("HUMEAI_ASYNC_SOAK"))


def face_text(emotions: str = '[{"name": "Joy", "score": 0.5}]', **changes: str) -> str:
    """Write one face as JSON; values are JSON texts themselves."""
    box = '{"x": 0, "y": 0, "w": 1, "h": 1}'
    plain = {"frame": "0", "time": "0", "prob": "1", "box": box, "emotions": emotions} | changes
    return written(plain)


def around(faces: str) -> str:
    """Write the predictions around some faces."""
    groups = f'{{"grouped_predictions": [{{"id": "unknown", "predictions": [{faces}]}}]}}'
    file = f'{{"file": "a.jpg", "models": {{"face": {groups}}}}}'
    return (
        f'[{{"source": {{"type": "text"}}, "results": {{"predictions": [{file}], "errors": []}}}}]'
    )


def score(text: str) -> str:
    return around(face_text(f'[{{"name": "Joy", "score": {text}}}]'))


def written(members: Mapping[str, str]) -> str:
    """Write an object; values are JSON texts themselves."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


def named(text: bytes) -> bytes:
    return around(face_text('[{"name": "@", "score": 0.5}]')).encode().replace(b"@", text)


def first_face(body: str | bytes) -> Any:
    """Read everything there is of predictions, and return the first face."""
    predictions = Predictions.from_json(body if isinstance(body, bytes) else body.encode())
    predictions.validate()
    predictions.scores("face")
    return faces_of(predictions)[0]


def faces_of(predictions: Predictions) -> Sequence[FacePrediction]:
    found = predictions[0].files[0].models.face
    assert found is not None
    return found.grouped_predictions[0].predictions


JOBS = '[{"job_id": "a", "type": "INFERENCE", "state": {"status": "QUEUED", "num_errors": @}}]'
PAGE = '{"page_number": @, "page_size": 1, "total_pages": 1, "configs_page": []}'
PROSODY = '{"prosody": {"scores": {"Joy": @}}}'
EVENT = f'{{"type": "assistant_prosody", "from_text": false, "models": {PROSODY}}}'

PLAIN: dict[str, tuple[Any, str, str]] = {
    "jobs": (catalog.BATCH_LIST_JOBS.returns, JOBS, "$[0].state.num_errors"),
    "page": (catalog.CONFIGS_LIST.returns, PAGE, "$.page_number"),
    "event": (ServerEvent, EVENT, '$.models.prosody.scores["Joy"]'),
}
"""Type, sample with a place for a number, and path of that place."""


def read_plain(kind: str, number: str) -> Any:
    returns, sample, _ = PLAIN[kind]
    return codec.decode(returns, sample.replace("@", number).encode())


def wrong_in(kind: str, number: str) -> tuple[str, str]:
    """Read a wrong number, and return what is wrong and where."""
    try:
        found = read_plain(kind, number)
    except DecodeError as problem:
        return problem.message.partition("form: ")[2], problem.path
    (odd,) = found.undecodable
    return odd.reason, f"$[{odd.index}]{odd.path[1:]}"


# What is no JSON at all.

NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n",
    "one byte": b"[",
    "another byte": b"\x00",
    "a quote": b'"',
    "half of not a number": b"[Na]",
    "a number that begins with 0": b"[01]",
    "a number without digits": b"[-]",
    "UTF-16": "[]".encode("utf-16"),
    "trailing garbage": b"[]x",
    "a second value": b"[][]",
    "a trailing zero byte": b"[]\x00",
    "a comment": b"[]//",
    "a comma too many": b"[1,]",
    "a bare control character": b'["\x01"]',
    "Python": b"[None, True]",
    "HTML": b"<!DOCTYPE html><html></html>",
    "gzip": b"\x1f\x8b\x08\x00",
}

TYPES: dict[str, Any] = {
    "predictions": Predictions,
    "jobs": catalog.BATCH_LIST_JOBS.returns,
    "page": catalog.CONFIGS_LIST.returns,
    "job": catalog.BATCH_GET_JOB.returns,
    "event": ServerEvent,
    "datasets": catalog.DATASETS_CREATE_VERSION.returns,
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_a_decode_error(body: bytes, kind: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(TYPES[kind], body)
    assert caught.value.path.startswith("$")


@pytest.mark.parametrize("what", sorted(NO_JSON.keys() - {"HTML"}))
def test_what_is_no_json_is_text_where_nothing_was_promised(what: str) -> None:
    body = NO_JSON[what]
    assert isinstance(codec.decode(object, body), str | None)


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_an_error_that_is_no_json_stays_the_error_that_it_is(body: bytes) -> None:
    error = error_of(body)
    assert isinstance(error, BadRequestError)
    assert error.message


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_an_envelope_that_is_no_json_is_none(body: bytes, status: int) -> None:
    read = LowCodeAPI("at_x").read(Response(status, {"x-mine": "1"}, body))
    assert (read.body, read.headers) == (body, {"x-mine": "1"})


# Values of another kind than was promised.


@pytest.mark.parametrize("kind", ["predictions", "jobs", "page", "event", "job"])
@pytest.mark.parametrize("body", [b"null", b"true", b"1", b'"text"', b'""', b"[1]", b"[[]]"])
def test_a_value_of_another_kind_is_a_decode_error(body: bytes, kind: str) -> None:
    if kind == "jobs" and body.startswith(b"["):
        assert len(codec.decode(TYPES[kind], body).undecodable) == 1
        return
    with pytest.raises(DecodeError) as caught:
        codec.decode(TYPES[kind], body)
    assert caught.value.path.startswith("$")


@pytest.mark.parametrize("kind", ["predictions", "jobs", "job"])
def test_an_object_without_anything_is_a_decode_error(kind: str) -> None:
    with pytest.raises(DecodeError):
        codec.decode(TYPES[kind], b"{}")


@pytest.mark.parametrize("value", ["{}", '""', '"ab"', "1", '{"a": 1}'])
def test_an_array_is_not_made_of_keys_or_letters(value: str) -> None:
    body = f'{{"page_number": 0, "page_size": 1, "total_pages": 1, "configs_page": {value}}}'
    with pytest.raises(DecodeError, match="expected an array") as caught:
        codec.decode(TYPES["page"], body.encode())
    assert caught.value.path == "$.configs_page"


# Numbers.


@pytest.mark.parametrize("text", ["9" * 400, "true", '"0.5"', "[1]"])
def test_a_score_that_is_no_number_is_told_with_its_path(text: str) -> None:
    predictions = Predictions.from_json(score(text).encode())
    for read in (predictions.validate, lambda: predictions.scores("face")):
        with pytest.raises(DecodeError) as caught:
            read()
        assert caught.value.path == f"{FACE}.emotions[0].score"


@pytest.mark.parametrize(
    ("text", "expected"), [("1e-400", 0.0), ("-0", 0.0), ("1E2", 100.0), (str(2**64), 2.0**64)]
)
def test_a_score_is_read_as_json_has_it(text: str, expected: float) -> None:
    assert first_face(score(text)).emotions["Joy"] == expected


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "0.5", str(2**63)])
def test_a_frame_that_is_no_whole_number_is_told_with_its_path(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Predictions.from_json(around(face_text(frame=text)).encode())
    assert caught.value.path == f"{FACE}.frame"


@pytest.mark.parametrize("text", ["true", '"0"', "1.5", "-0.1", "1e19", "9.3e18", "1e300"])
def test_a_frame_of_another_kind_is_told_with_its_path(text: str) -> None:
    with pytest.raises(DecodeError, match="Expected `int") as caught:
        Predictions.from_json(around(face_text(frame=text)).encode())
    assert caught.value.path == f"{FACE}.frame"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.0", 1), ("-2.0", -2), ("1e2", 100), ("-0.0", 0), ("0e9", 0), ("9e18", 9 * 10**18)],
)
def test_a_whole_number_may_be_written_as_a_float(text: str, expected: int) -> None:
    face = first_face(
        around(face_text(frame=text, time="3.0", prob="1e300", new=f'["9.0", 1.5, {"9" * 400}]'))
    )
    assert (face.frame, face.time, face.prob) == (expected, 3.0, 1e300)
    assert (type(face.frame), type(face.time)) == (int, float)
    assert face.emotions.as_dict() == {"Joy": 0.5}
    assert read_plain("page", text).page_number == expected
    assert type(read_plain("page", text).page_number) is int


@pytest.mark.parametrize("text", ["1.5", "-0.1"])
@pytest.mark.parametrize("kind", ["jobs", "page"])
def test_a_fraction_where_a_whole_number_is_promised_is_told_with_its_path(
    kind: str, text: str
) -> None:
    reason, path = wrong_in(kind, text)
    assert reason.startswith("expected an integer")
    assert path == PLAIN[kind][2]


@pytest.mark.parametrize("text", ["1", "0", '"true"'])
def test_nothing_but_true_and_false_is_a_boolean(text: str) -> None:
    names = "tool_call_id", "name", "parameters", "tool_type"
    call = {"type": '"tool_call"', **dict.fromkeys(names, '""'), "response_required": text}
    with pytest.raises(DecodeError, match="expected a boolean") as caught:
        codec.decode(ServerEvent, written(call).encode())
    assert caught.value.path == "$.response_required"


@pytest.mark.parametrize("text", [str(2**70), "1e30"])
def test_a_large_number_is_a_float_where_one_is_promised(text: str) -> None:
    assert first_face(around(face_text(time=text))).time == float(text)
    assert read_plain("event", text).models.prosody.scores["Joy"] == float(text)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 5000])
@pytest.mark.parametrize("kind", PLAIN)
def test_a_number_beyond_all_bounds_is_a_decode_error(kind: str, text: str) -> None:
    with pytest.raises(DecodeError, match="out of range"):
        read_plain(kind, text)


@pytest.mark.parametrize("text", ['"1"', "[]", "true"])
@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_no_number_is_told_with_its_path(kind: str, text: str) -> None:
    assert wrong_in(kind, text)[1] == PLAIN[kind][2]


def test_a_number_too_large_for_a_float_is_told_with_its_path() -> None:
    with pytest.raises(DecodeError, match="too large") as caught:
        read_plain("event", "9" * 400)
    assert caught.value.path == PLAIN["event"][2]


def test_a_large_whole_number_keeps_all_its_digits() -> None:
    assert read_plain("page", "9" * 400).page_number == 10**400 - 1


# Keys and names that are there twice: the last one counts, as in JavaScript and Python.


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    assert first_face(score('0.5, "score": 0.25')).emotions["Joy"] == 0.25
    assert first_face(around(face_text(time='1, "time": 2'))).time == 2.0
    assert read_plain("page", '1, "page_number": 2').page_number == 2
    read = LowCodeAPI("at_x").read(Response(200, {}, b'{"result": 1, "result": 2}'))
    assert read.body == b"2"


def test_of_a_name_that_is_there_twice_the_last_one_counts() -> None:
    body = around(face_text('[{"name": "Joy", "score": 0.5}, {"name": "Joy", "score": 0.25}]'))
    emotions = first_face(body).emotions
    assert (emotions["Joy"], emotions.as_dict(), len(emotions)) == (0.25, {"Joy": 0.25}, 2)
    assert Predictions.from_json(body.encode()).scores("face").column("Joy").tolist() == [0.25]


# Text.


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\\ud800", b"\\ude00\\ud83d"],
)
def test_a_name_inside_a_slice_that_is_no_text_is_read_with_marks_in_it(text: bytes) -> None:
    predictions = Predictions.from_json(named(text))
    predictions.validate()
    (name,) = predictions.scores("face").names
    assert {*name} == {"\ufffd"}


@pytest.mark.parametrize("text", [b"\\u12", b"\x01", b"\\x"])
def test_a_name_inside_a_slice_that_is_no_json_is_told_at_once(text: bytes) -> None:
    with pytest.raises(DecodeError):
        Predictions.from_json(named(text))


@pytest.mark.parametrize(
    ("text", "expected"), [(b"\\ud83d\\ude00", "\U0001f600"), (b"\\u0000", "\0"), (b"", "")]
)
def test_an_odd_name_is_read_as_json_has_it(text: bytes, expected: str) -> None:
    assert first_face(named(text)).emotions.as_dict() == {expected: 0.5}


def test_a_byte_order_mark_is_passed_over() -> None:
    mark = b"\xef\xbb\xbf"
    assert first_face(mark + score("0.5").encode()).emotions["Joy"] == 0.5
    assert codec.decode(TYPES["jobs"], mark + b"[]") == []
    assert codec.decode(object, mark + b"[]") == []
    assert error_of(mark + b'{"message": "no such job"}').message == "no such job"
    read = LowCodeAPI("at_x").read(Response(200, {}, mark + b'{"message": "ok", "result": [1]}'))
    assert read.body == b"[1]"


def test_results_on_disk_are_utf_8_whatever_a_slice_holds(tmp_path: Path) -> None:
    body = around(face_text('[{"name": "Joy", "score": 0.5, "new": "@"}]'))
    found = Predictions.from_json(body.encode().replace(b"@", b"\xff"))[0]
    with Sinks(tmp_path, ("jsonl",)) as sinks:
        outcome: SourceOutcome = Outcome(source="a", predictions=found)
        sinks.write(outcome)
    line = json.loads((tmp_path / "predictions.jsonl").read_text("utf-8"))
    face = line["predictions"]["results"]["predictions"][0]["models"]["face"]
    assert face["grouped_predictions"][0]["predictions"][0]["emotions"][0]["score"] == 0.5


# Nesting.

DEEP = 100_000


def wrapped(deep: str) -> dict[str, str]:
    """Put something deep into every place of an answer."""
    return {
        "bare": deep,
        "job": f'[{{"job_id": "a", "type": "NEW", "state": {{"status": "A"}}, "new": {deep}}}]',
        "page": f'{{"page_number": 0, "page_size": 1, "total_pages": 1, "configs_page": [{deep}]}}',
        "event": f'{{"type": "new", "x": {deep}}}',
        "face": around(face_text(new=deep)),
        "score": around(face_text(f'[{{"name": "Joy", "score": 0, "new": {deep}}}]')),
        "scores": around(face_text(deep)),
        "result": f'{{"message": "ok", "provider": "humeai", "result": {deep}}}',
        "headers": f'{{"message": "no", "provider": "humeai", "error": {{}}, "headers": {deep}}}',
        "errors": f'{{"errors": [{deep}]}}',
        "detail": f'{{"detail": [{{"loc": [{deep}], "msg": {deep}}}]}}',
        "echo": f'{{"message": "no", "x": {deep}, "error": {{"code": 1, "logging": {{}}}}}}',
        "code": f'{{"message": "no", "error": {{"code": {deep}, "logging": {{}}}}}}',
    }


NESTS: dict[str, Callable[[int], str]] = {
    "arrays": lambda depth: "[" * depth + "]" * depth,
    "arrays without end": lambda depth: "[" * depth,
    "objects": lambda depth: '{"a": ' * depth + "1" + "}" * depth,
    "errors": lambda depth: '{"errors": [' * depth + "1" + "]}" * depth,
}


def error_of(body: bytes) -> HumeError:
    """Build the error of an answer with status 400."""
    return to_error(
        Response(400, {}, body),
        catalog.BATCH_GET_JOB,
        retry_after=None,
        scrub=str,
        today=dt.date(2026, 1, 1),
        is_hume=True,
    )


def use(body: bytes) -> None:
    """Do everything with a body that is done with answers; only `DecodeError` may come out."""
    for returns in (*TYPES.values(), object):
        try:
            found = codec.decode(returns, body)
            if isinstance(found, Predictions):
                found.validate()
                found.scores("face")
        except DecodeError as problem:
            assert problem.path.startswith("$")  # noqa: PT017 - any or none is right
    assert isinstance(error_of(body), BadRequestError)
    for status in (200, 401):
        inner = LowCodeAPI("at_x").read(Response(status, {}, body))
        assert isinstance(error_of(inner.body), BadRequestError)


@pytest.mark.slow
@pytest.mark.parametrize("nest", NESTS)
def test_no_depth_does_more_than_a_decode_error(nest: str) -> None:
    # Around the interpreter's own limit it is that one which is met, at one place or another.
    near = range(975, 1003, 1 if budget.DEEP else 7)
    for depth in [*range(100, 1100, 83 if budget.DEEP else 250), *near, 5000, 20_000]:
        for body in wrapped(NESTS[nest](depth)).values():
            use(body.encode())


USE_DEEP_BODIES = """
import faulthandler, sys
faulthandler.enable()
sys.path[:0] = sys.argv[1:]
import test_bad_bodies as bad
for make in bad.NESTS.values():
    for body in bad.wrapped(make(bad.DEEP)).values():
        bad.use(body.encode())
print("alive")
"""


def run(script: str, *arguments: str) -> str:
    """Run a script in an interpreter of its own and return what it prints."""
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_bodies_nested_a_hundred_thousand_deep_do_not_crash_the_interpreter() -> None:
    here = Path(__file__).parent
    assert run(USE_DEEP_BODIES, str(here), str(here.parent / "support")) == "alive\n"


# All of it once more on the whole way of a call, directly and through a gateway.

BAD: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "$"),
    "one byte": ("[", "$"),
    "no UTF-8": (b'["\xff"]', "$[0]"),
    "too large a number": (score("9" * 400), f"{FACE}.emotions[0].score"),
    "too large a frame": (around(face_text(frame="9" * 400)), f"{FACE}.frame"),
    "half a frame": (around(face_text(frame="0.5")), f"{FACE}.frame"),
    "a late face": (around(f"{face_text()}, []"), f"{FACES}[1]"),
    "nested": ("[" * DEEP, "$"),
    "nested in a face": (around(face_text(new="[" * DEEP)), "$"),
    "nested in scores": (around(face_text("[" * DEEP + "]" * DEEP)), "$"),
}
"""Bodies, and the path that the error names."""

ODD: dict[str, str] = {
    "a key twice": score('1, "score": 0.5'),
    "a name twice": around(
        face_text('[{"name": "Joy", "score": 1}, {"name": "Joy", "score": 0.5}]')
    ),
    "digits without end": score("0.5" + "0" * 5000),
    "a whole frame as a float": around(face_text(frame="0.0")),
}
"""Bodies whose first face has Joy of 0.5."""


async def fetched(body: bytes, way: str) -> Predictions:
    """Serve predictions, fetch them and read everything."""
    token, key = ("at_k", None) if way == "gateway" else (None, "k")
    if way == "gateway":
        body = b'{"message": "ok", "provider": "humeai", "result": %b}' % body
    async with (
        RawServer(answer(body)) as server,
        HumeAI(api_token=token, api_key=key, base_url=server.url, retry=Retry(attempts=1)) as hume,
    ):
        found = await hume.batch.get_predictions("job")
        found.validate()
        return found


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["direct", "gateway"])
@pytest.mark.parametrize("name", BAD)
async def test_fetching_a_bad_body_is_a_decode_error_with_its_path(name: str, way: str) -> None:
    text, path = BAD[name]
    body = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(DecodeError) as caught:
        await fetched(body, way)
    # An envelope around what is no JSON is none either.
    assert caught.value.path == (path if way == "direct" or codec.is_json(body) else "$")


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["direct", "gateway"])
@pytest.mark.parametrize("name", ODD)
async def test_fetching_an_odd_body_gives_what_it_says(name: str, way: str) -> None:
    face = faces_of(await fetched(ODD[name].encode(), way))[0]
    assert (face.emotions["Joy"], face.frame) == (0.5, 0)


# Size.


def test_names_without_end_do_not_make_a_table_of_the_square() -> None:
    faces = [face_text(f'[{{"name": "{n}", "score": 1}}]') for n in range(MOST_NAMES + 1)]
    few = Predictions.from_json(around(", ".join(faces[:-1])).encode()).scores("face")
    assert (len(few), len(few.names)) == (MOST_NAMES, MOST_NAMES)
    assert few.column(str(MOST_NAMES - 1))[-1] == 1.0
    many = Predictions.from_json(around(", ".join(faces)).encode())
    with pytest.raises(DecodeError, match="more than 1000 different names") as caught:
        many.scores("face")
    assert caught.value.path == f"{FACES}[{MOST_NAMES}].emotions"


def test_names_that_come_late_copy_a_table_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []
    join = ScoreTable._join  # pyright: ignore[reportPrivateUsage]  # what is counted

    def counted(table: ScoreTable) -> None:
        copies.append(len(table))
        join(table)

    monkeypatch.setattr(ScoreTable, "_join", counted)
    thin = [face_text('[{"name": "Joy", "score": 1}]')] * 1000
    late = [face_text(f'[{{"name": "{n}", "score": 1}}]') for n in range(50)]
    table = Predictions.from_json(around(", ".join(thin + late)).encode()).scores("face")
    assert len(table.values) == len(table) * len(table.names)
    assert table.column("Joy")[:1000].tolist() == [1.0] * 1000
    assert table.column("49")[-1] == 1.0
    assert copies == [1050]


READ = """
import asyncio, sys
from humeai_async import HumeAI, Retry

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

async def main():
    url, what = sys.argv[1:]
    async with HumeAI(api_key="k", base_url=url, retry=Retry(attempts=1)) as hume:
        await hume.request("GET", "/v0/warm")
        await hume.batch.get_predictions("warm")
        before = peak()
        predictions = await hume.batch.get_predictions("job")
        faces = predictions[0].files[0].models.face.grouped_predictions[0].predictions
        if what == "validated":
            predictions.validate()
        if what == "touched":
            for face in faces:
                face.emotions["Joy"]
        print(peak() - before, len(predictions.body), len(faces))

asyncio.run(main())
"""


def real_faces(size: int) -> bytes:
    """Write predictions of so many bytes, with 48 scores a face as the service sends them."""
    scores = [{"name": f"Expression {n}", "score": n / 97 + 1e-12} for n in range(47)]
    emotions = json.dumps([*scores, {"name": "Joy", "score": 0.5}])
    one = face_text(emotions, face_id='"unknown"', time="1.3333333333333333")
    return around(", ".join([one] * (size // (len(one) + 2)))).encode()


def thin_faces(count: int) -> bytes:
    """Write predictions of so many faces, with one score each."""
    return around(", ".join([face_text()] * count)).encode()


async def memory_for(body: bytes, what: str, *, is_chunked: bool = False) -> tuple[int, int]:
    """Return by how much an interpreter grew over a body, and how many faces it found."""
    small = answer(thin_faces(1))
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"  # nobody knows how much comes
    large = raw(head + body) if is_chunked else answer(body)
    async with RawServer(small, small, large) as server:
        done = await anyio.run_process([sys.executable, "-c", READ, server.url, what])
    grown, size, faces = map(int, done.stdout.split())
    assert size == len(body)
    return grown, faces


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("what", ["untouched", "validated"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["a length", "no length"])
async def test_predictions_take_at_most_twice_the_bodys_memory(what: str, is_chunked: bool) -> None:
    body = real_faces((200 if IS_WHOLE else 20) << 20)
    grown, faces = await memory_for(body, what, is_chunked=is_chunked)
    assert faces == body.count(b"unknown") - 1
    assert grown < 2 * len(body) + (50 << 20)


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("what", ["validated", "touched"])
async def test_so_many_faces_take_at_most_twice_their_texts_memory(what: str) -> None:
    # With a single score each, the objects of all faces would weigh four times their text.
    count = 1_000_000 if IS_WHOLE else 250_000
    body = thin_faces(count)
    grown, faces = await memory_for(body, what)
    assert faces == count
    assert grown < 2 * len(body) + (50 << 20)
