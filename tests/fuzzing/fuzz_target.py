"""One target of the coverage-guided run, in a process of its own; see `coverage_guided.py`.

    python tests/fuzzing/fuzz_target.py decoders FOLDER [options of libFuzzer]

An input is bytes: a few that choose what is asked, then what a server, a user or the
environment could have written. Half of the changes are libFuzzer's own to the bytes, half are
those of `mutations.py` to the JSON in them.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

atheris: Any = importlib.import_module("atheris")  # from the extra `fuzz`, and untyped

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["humeai_async"]):
    from fuzzing import addresses, mutations, promises

TYPES = [mutations.TYPES[name] for name in sorted(mutations.TYPES)]
ENDPOINTS = [mutations.ENDPOINTS[name] for name in sorted(mutations.ENDPOINTS)]
STATUSES = (200, 201, 204, 307, 400, 401, 403, 404, 405, 409, 410, 418, 422, 429, 500, 503)
CHOICES = 3
"""Bytes at the front that choose what is asked."""


def decoders(choice: bytes, text: bytes) -> None:
    """Read a body as one of the types."""
    promises.check_decoding(TYPES[choice[0] % len(TYPES)], text)


def answers(choice: bytes, text: bytes) -> None:
    """Read an answer of one origin to one endpoint: status, headers, a blank line, a body."""
    head, _, body = text.partition(b"\n\n")
    origin = promises.ORIGINS[choice[0] % len(promises.ORIGINS)]
    endpoint = ENDPOINTS[choice[1] % len(ENDPOINTS)]
    status = STATUSES[choice[2] % len(STATUSES)]
    promises.check_answer(origin, endpoint, status, _headers(head), body)


def headers(choice: bytes, text: bytes) -> None:
    """Read headers of quotas and waits."""
    del choice
    promises.check_headers(_headers(text))


def addresses_(choice: bytes, text: bytes) -> None:
    """Send texts as ids and query of one endpoint, and one of them as a base URL."""
    endpoint = ENDPOINTS[choice[0] % len(ENDPOINTS)]
    texts = [piece.decode("utf-8", "surrogateescape") for piece in text.split(b"\n")]
    texts += [""] * (len(endpoint.parameters) + 3 - len(texts))
    base, name, value, *ids = texts
    addresses.check_base(base)
    addresses.check_call(endpoint, ids[: len(endpoint.parameters)], {name: value, "q": [value]})


def _headers(text: bytes) -> dict[str, str]:
    """Read lines of headers the way aiohttp decodes them."""
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


TARGETS: dict[str, Callable[[bytes, bytes], None]] = {
    "decoders": decoders,
    "answers": answers,
    "headers": headers,
    "addresses": addresses_,
}

HEADERS = (
    b"retry-after: 2", b"retry-after: Sun, 06 Nov 1994 08:49:37 GMT", b"retry-after-ms: 250",
    b'ratelimit-policy: "default";q=100;w=60\nratelimit: "default";r=42;t=12',
    b"ratelimit-policy: 100;w=60\nratelimit: limit=100, remaining=42, reset=12",
    b"ratelimit-limit: 100, 100;w=60\nratelimit-remaining: 42\nratelimit-reset: 12",
    b"x-ratelimit-limit-requests: 100\nx-ratelimit-reset-requests: 6m0s\ndate: x",
    b"x-rate-limit-limit: 1\nx-rate-limit-remaining: 1\nx-rate-limit-reset: 1700000012345",
    b"x-ratelimit-reset-after: 1.5\nx-request-id: req-1\ndate: Sun, 06 Nov 1994 08:49:37 GMT",
)  # fmt: skip
TEXTS = (
    b"https://api.hume.ai/base/\npage_number\n3\n8b1c2f3a-4d5e\n7", b"http://[::1]:80\na\nb\nc\nd",
    b"https://u:w@h/?x#y\n+&=\n%2e\n..\n{id}", b"HTTP://h\xc3\xbc.ai:0080\n\xc3\xa9\n\xff\n$&\n:id",
)  # fmt: skip
ENVELOPES = (
    b'{"message":"Request completed","provider":"humeai","result":%s,"response_headers":{}}',
    b'{"data":%s}',
    b'{"message":"","provider":"humeai","error":%s,"headers":{"retry-after":"7"}}',
    b"%s",
)


def seeds(target: str) -> list[bytes]:
    """Make the input that a target begins with, of the samples."""
    if target == "headers":
        return [bytes(CHOICES) + one for one in HEADERS]
    if target == "addresses":
        return [bytes((n, 0, 0)) + one for n in range(0, len(ENDPOINTS), 7) for one in TEXTS]
    if target == "decoders":
        kinds = {id(returns): place for place, returns in enumerate(TYPES)}
        return [
            bytes((kinds.get(id(returns), place), 0, 0)) + body
            for place, (returns, body) in enumerate(mutations.SAMPLES.values())
        ]
    errors = enumerate(mutations.ERROR_SAMPLES)
    return [
        bytes((n % 2, n, status)) + HEADERS[n % len(HEADERS)] + b"\n\n" + envelope % body
        for n, body in errors
        for status in range(len(STATUSES))
        for envelope in ENVELOPES
    ]


def change(data: bytes, longest: int, seed: int) -> bytes:
    """Make the next input of one: its bytes changed, or the JSON in it."""
    dice = random.Random(seed)  # noqa: S311 - dice, no secret
    if dice.random() < 0.5:
        return bytes(atheris.Mutate(data, longest))
    choice, text = data[:CHOICES], data[CHOICES:]
    head, blank, body = text.rpartition(b"\n\n")
    try:
        body = mutations.spoiled(body, dice)
    except (ValueError, RecursionError):
        body = mutations.damaged(body, dice)
    return (choice + head + blank + body)[:longest]


def main() -> None:
    """Write the seeds, and hand over to libFuzzer."""
    target, folder = sys.argv.pop(1), Path(sys.argv[1])
    check = TARGETS[target]
    for seed in seeds(target):
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def one_input(data: bytes) -> None:
        check(data[:CHOICES].ljust(CHOICES, b"\0"), data[CHOICES:])

    has_json = target in {"decoders", "answers"}
    atheris.Setup(sys.argv, one_input, **({"custom_mutator": change} if has_json else {}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
