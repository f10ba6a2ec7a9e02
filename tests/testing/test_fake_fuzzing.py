"""No request breaks the fake: whatever comes, it answers as Hume or the gateway would, never 5xx.

A test that meets a traceback of the stand-in looks for its fault in the wrong place.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from aiohttp_release import IS_3_14
from fuzzing.budget import DEEP
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_client import open_raw_client

from humeai_async.testing import Arrival, Dialect, FakeHume, FormPart, ManualClock
from humeai_async.testing.exchange import as_list, as_record
from humeai_async.testing.rows import ROWS

DIALECTS: tuple[Dialect, ...] = ("direct", "gateway-documented", "gateway-recorded")
JSON_TYPE = {"content-type": "application/json"}
URL = "https://media.example.com/a.mp4"


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def dump_both(plausible: dict[str, object], odd: dict[str, object]) -> bytes:
    return dump(plausible | odd)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def make_part(name: str, content: bytes, filename: str | None) -> FormPart:
    return FormPart.of(name, content, filename=filename)


# What the stand-in reads, so that the search gets past its first checks.
NAMES = st.sampled_from(
    [
        "name",
        "text",
        "evi_version",
        "parameters",
        "description",
        "prompt",
        "voice",
        "tools",
        "builtin_tools",
        "timeouts",
        "nudges",
        "event_messages",
        "webhooks",
        "inactivity",
        "on_new_chat",
        "id",
        "version",
        "version_description",
        "urls",
        "models",
        "registry_files",
        "transcription",
        "callback_url",
        "notify",
        "face",
        "prosody",
        "language",
        "window",
        "length",
        "step",
        "granularity",
        "fps_pred",
        "identify_speakers",
        "custom_model",
        "dataset",
        "task",
        "type",
        "alternatives",
        "tags",
        "file",
        "data_type",
        "hume_storage",
        "uri",
        "attributes",
        "value",
        "target_feature",
        "version_id",
    ]
)
ODD_TEXTS = st.sampled_from([
    "http://[broken", "https://", "https://media.example.com/%ff\x00/..", "\x00", "9" * 5000,
    "--5", "²", "٣", "1e400", "a" * 70_000, '"', "fixed", "COMPLETED", "classification", "3", "{}",
    "[" * 9,
])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | ODD_TEXTS
    | st.sampled_from([URL, 10**300, -1, 0])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
ENTRIES: dict[str, st.SearchStrategy[object]] = {
    "urls": st.lists(st.just(URL) | ODD_TEXTS, max_size=3),
    "text": st.lists(st.text(max_size=20) | ODD_TEXTS, max_size=3) | st.text(max_size=5),
    "name": st.just("name") | st.text(max_size=5),
    "evi_version": st.just("3"),
    "parameters": st.just("{}") | ODD_TEXTS,
    "custom_model": st.fixed_dictionaries({"name": st.just("m")}, optional={"id": VALUES}),
    "dataset": st.just({"id": "d"}),
    "models": st.dictionaries(
        st.sampled_from(["face", "prosody", "language", "ner", "burst", "facemesh"]), VALUES
    ),
}
PLAUSIBLE = st.fixed_dictionaries({}, optional={**ENTRIES, "tools": VALUES, "timeouts": VALUES})
BODIES = st.one_of(
    st.builds(dump_both, PLAUSIBLE, st.dictionaries(NAMES, VALUES)),
    PLAUSIBLE.map(dump),
    VALUES.map(dump),
    st.binary(max_size=20),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud83d"', b"NaN", b"9" * 5000]),
    st.just(b'[{"file":{"name":"a","data_type":"audio","hume_storage":true}}]'),
)
FIELDS = st.sampled_from(
    [
        "page_number",
        "page_size",
        "limit",
        "status",
        "type",
        "when",
        "timestamp_ms",
        "sort_by",
        "direction",
        "name",
        "id",
        "version",
        "ascending_order",
        "restrict_to_most_recent",
        "shared_assets",
        "allowRetention",
        "config_id",
    ]
)
QUERIES = st.lists(st.tuples(FIELDS, ODD_TEXTS | st.text(max_size=4)), max_size=4).map(tuple)
PARTS = st.lists(
    st.builds(
        make_part,
        st.sampled_from(["name", "labels_file", "feature_types", "file", "attributes", "json"]),
        st.sampled_from([
            b"name", b"\xff\xfe", b"a,b\n1,2", b"a\rb\x00\n" + b'"' * 3, b'{"a": []}',
            b"[" * 99_999, b"a\n" + b"x" * 200_000, b"", b'{"urls": ["http://[broken"]}',
        ])
        | st.binary(max_size=20),
        st.none() | st.sampled_from(["a.wav", "\x00", "x" * 70_000, "a.zip", ""]),
    ),
    max_size=4,
).map(tuple)  # fmt: skip
IDS = st.sampled_from(["job", "config", "prompt", "chat", "model", "dataset", "file"]) | ODD_TEXTS


class Requests:
    """Makes requests of a fake, in process, with the ids that it handed out before."""

    def __init__(self, dialect: Dialect) -> None:
        self.fake = FakeHume(dialect=dialect, clock=ManualClock())
        self.ids: list[str] = []

    def send(self, arrival: Arrival) -> int:
        answer, _ = asyncio.run(self.fake.respond(arrival))
        assert answer.status < 500, answer
        if answer.body[:1] in {b"{", b"["}:
            self._find_ids(json.loads(answer.body, parse_constant=refuse_constant))
        return answer.status

    def _find_ids(self, value: Any) -> None:
        for record in (as_list(value) or [value])[:3]:
            for name, inner in (as_record(record) or {}).items():
                if name in {"id", "job_id"} and isinstance(inner, str):
                    self.ids = [inner, *self.ids[:5]]
                elif isinstance(inner, (dict, list)):
                    self._find_ids(inner)

    def request(
        self, row: Any, ids: list[str], query: Any, body: bytes, parts: Any, kind: str
    ) -> Arrival:
        path, pairs, headers = row.path, query, dict(JSON_TYPE if parts is None else {})
        for place, name in enumerate(row.parameters):
            value = self.ids[0] if self.ids and place == 0 and kind == "known" else ids[place]
            if self.fake.dialect == "gateway-recorded":
                path, pairs = path.replace(f"{{{name}}}", name), (*pairs, (name, value))
            else:
                path = path.replace(f"{{{name}}}", quote(value, safe="") or "x")
        if self.fake.dialect == "direct":
            headers["x-hume-api-key"] = self.fake.api_key
        else:
            path, pairs = "/humeai" + path, (*pairs, ("api_token", self.fake.api_token))
        return Arrival(row.method, path, pairs, headers, body, parts, raw_target=path)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(ROWS),
        st.lists(IDS, min_size=2, max_size=2),
        QUERIES,
        BODIES,
        st.none() | PARTS,
        st.sampled_from(["known", "known", "odd"]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=150 if DEEP else 50)
@given(st.sampled_from(DIALECTS), STEPS)
def test_no_sequence_of_requests_breaks_the_fake(dialect: Dialect, steps: Any) -> None:
    requests = Requests(dialect)
    for row, ids, query, body, parts, kind in steps:
        requests.send(requests.request(row, ids, query, body, parts, kind))


@pytest.mark.slow
@settings(max_examples=150 if DEEP else 50)
@given(PLAUSIBLE)
@example({"urls": ["http://[broken"]})
@example({"urls": [URL], "models": {"face": {"fps_pred": 1e-320}}})
@example({"urls": [URL], "models": {"prosody": {"window": {"length": 1e308, "step": 1e308}}}})
@example({"text": ["ha \ud83d"]})
@example({"urls": ["https://media.example.com/" + "x" * 70_000]})
def test_a_job_that_is_taken_has_predictions_and_artifacts(body: dict[str, object]) -> None:
    requests = Requests("direct")
    jobs = next(row for row in ROWS if row.method == "POST" and row.path == "/v0/batch/jobs")
    content = {n: v for n, v in body.items() if n in {"urls", "text", "models"}}
    if requests.send(requests.request(jobs, [], (), dump(content), None, "odd")) != 200:
        return
    [job] = requests.fake.jobs
    for row in ROWS:
        if row.path.startswith("/v0/batch/jobs/{id}"):
            assert requests.send(requests.request(row, [job], (), b"", None, "odd")) == 200


JOBS = b"POST /v0/batch/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data"
CHAT = b"GET /v0/evi/chat?api_key=fake-hume-key"
UPGRADE = b" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
PART = b"--b\r\nContent-Disposition: form-data\r\nContent-Encoding: x\r\n\r\na\r\n--b--\r\n"
RAW = {
    "an odd path": b"GET //[x HTTP/1.1\r\nHost: a\r\n\r\n",
    "an odd query": b"GET /v0/evi/configs?%ff=%zz&&==[ HTTP/1.1\r\nHost: [\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "no boundary": JOBS + b"\r\nContent-Length: 2\r\n\r\n{}",
    "half a part": JOBS + b"; boundary=b\r\nContent-Length: 11\r\n\r\n--b\r\nbroken",
    "an odd part": JOBS + b"; boundary=b\r\nContent-Length: %d\r\n\r\n%b" % (len(PART), PART),
    "no gzip": JOBS.replace(b"multipart/form-data", b"application/json")
    + b"\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "a chat without a key": b"GET /v0/evi/chat" + UPGRADE,
    "half a handshake": CHAT + UPGRADE,
    "an odd version": CHAT + b"&config_id=x&config_version=one" + UPGRADE,
}
if IS_3_14:
    RAW["a broken URL"] = b"GET http://[broken/v0 HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_bytes_on_the_socket_break_the_fake(dialect: Dialect, raw: bytes) -> None:
    async with open_raw_client(dialect=dialect) as call:
        async with await anyio.connect_tcp("127.0.0.1", call.fake.port) as stream:
            await stream.send(raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            with anyio.fail_after(10):
                head = await stream.receive()
    assert head.startswith(b"HTTP/1.")
    assert int(head.split()[1]) < 500
