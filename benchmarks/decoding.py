"""How fast are predictions read, and how much memory do they hold?

    python -m benchmarks.decoding [--full] [--megabytes 0.3 3 30]

Bodies of 0.3, 3 and 30 MB, 48 scores a face: decoded and not touched, with every list of
scores touched, as one array of scores, and as an Arrow table. Ours against json, orjson and
msgspec, which make plain objects, and the official SDK, which makes typed ones (to 3 MB: it
takes seconds). Memory is what is held afterwards, the body included where the result keeps
it, as a multiple of the body.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import json
import tempfile
import tracemalloc
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bodies import body_of
from benchmarks.measuring import (
    OFFICIAL,
    Call,
    Caller,
    Spent,
    Verdict,
    fresh,
    in_turn,
    is_there,
    print_table,
    print_verdicts,
    ratio,
)
from humeai_async.http import codec
from humeai_async.types.predictions.predictions import Predictions

SIZES = (0.3, 3.0, 30.0)
OFFICIAL_MOST = 3.0
JUDGED = 3.0
"""The size that the bars are for, and whose memory is measured."""

Work = Callable[[bytes], object]


def ours(body: bytes) -> Predictions:
    return codec.decode(Predictions, body)


def ours_touched(body: bytes) -> object:
    found = ours(body)
    faces = found[0].files[0].models.face
    assert faces is not None
    for face in faces.grouped_predictions[0].predictions:
        len(face.emotions)
    return found


def ours_to_array(body: bytes) -> object:
    return ours(body).scores("face")


def ours_to_arrow(body: bytes) -> object:
    return ours(body).to_arrow()


def by_orjson(body: bytes) -> Any:
    return importlib.import_module("orjson").loads(body)


def by_official(body: bytes) -> Any:
    """Do what its `get_job_predictions` does with an answer."""
    core: Any = importlib.import_module("hume.core.pydantic_utilities")
    types: Any = importlib.import_module("hume.expression_measurement.batch.types")
    return core.parse_obj_as(type_=list[types.UnionPredictResult], object_=json.loads(body))


def faces_of(plain: Any) -> Any:
    found = plain[0]["results"]["predictions"][0]["models"]["face"]
    return found["grouped_predictions"][0]["predictions"]


def orjson_to_array(body: bytes) -> object:
    faces = faces_of(by_orjson(body))
    return array("d", [pair["score"] for face in faces for pair in face["emotions"]])


def orjson_to_arrow(body: bytes) -> object:
    pyarrow: Any = importlib.import_module("pyarrow")
    rows = [
        {"frame": face["frame"], "time": face["time"], "prob": face["prob"], **face["box"]}
        | {pair["name"]: pair["score"] for pair in face["emotions"]}
        for face in faces_of(by_orjson(body))
    ]
    return pyarrow.Table.from_pylist(rows)


OURS, TOUCHED = "humeai_async", "humeai_async, all touched"
WORKS: dict[str, dict[str, Work]] = {
    "objects": {
        OURS: ours,
        TOUCHED: ours_touched,
        "json": json.loads,
        "orjson": by_orjson,
        "msgspec": msgspec.json.decode,
        OFFICIAL: by_official,
    },
    "an array": {OURS: ours_to_array, "orjson": orjson_to_array},
    "Arrow": {OURS: ours_to_arrow, "orjson": orjson_to_arrow},
}
"""Readers by what they make; the peers' objects are all made at once."""
BARS = {OURS: 500.0, TOUCHED: 100.0}
"""Megabytes a second of objects, at least."""
MOST_HELD = 1.3


@contextlib.asynccontextmanager
async def decoding(file: Path, work: Work) -> AsyncGenerator[Call]:
    body = read(file)

    async def call() -> None:
        work(body)

    yield call


def read(file: Path) -> bytes:
    return file.read_bytes()


def held(file: Path, work: Work) -> tuple[float, float]:
    """Return what is held afterwards and the peak, as multiples of the body."""
    work(read(file))  # imports and caches
    gc.collect()
    tracemalloc.start()
    body = read(file)
    size = len(body)
    found = work(body)
    del body
    gc.collect()
    after, peak = tracemalloc.get_traced_memory()
    del found
    return after / size, peak / size


def measure(file: Path, works: dict[str, Work], megabytes: float, rounds: int) -> dict[str, Spent]:
    with contextlib.ExitStack() as stack:
        bursts: dict[str, Callable[[], Spent]] = {}
        for name, work in works.items():
            caller = stack.enter_context(Caller(decoding, file, work))
            repeats = 1 if name == OFFICIAL else max(1, round(3 / megabytes))
            bursts[name] = functools.partial(caller.burst, repeats, 1)
        return in_turn(bursts, rounds, OFFICIAL)


def run(*, full: bool, sizes: list[float] | None = None) -> list[Verdict]:
    there = {name for name in ("orjson", "hume", "pyarrow") if is_there(name)}
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in sizes or SIZES:
            file = Path(folder) / f"{megabytes}.json"
            file.write_bytes(body_of(megabytes))
            size = file.stat().st_size / 1e6
            for result, works in WORKS.items():
                if result == "Arrow" and "pyarrow" not in there:
                    continue
                usable = {n: work for n, work in works.items() if _is_usable(n, there, megabytes)}
                spent = measure(file, usable, megabytes, 7 if full else 4)
                speeds = {name: size / each.cpu for name, each in spent.items()}
                memory: dict[str, tuple[float, float]] = {}
                if megabytes == JUDGED:
                    memory = {name: fresh(held, file, work) for name, work in usable.items()}
                verdicts += _verdicts(megabytes, result, speeds, memory)
                rows += _rows(f"{megabytes:g} MB to {result}", speeds, memory)
    header = ("what", "reader", "MB/s of CPU", "to ours", "held", "peak")
    print_table("Reading predictions", header, rows)
    return verdicts


def _is_usable(name: str, there: set[str], megabytes: float) -> bool:
    if name == OFFICIAL:
        return "hume" in there and megabytes <= OFFICIAL_MOST
    return name != "orjson" or name in there


def _rows(
    what: str, speeds: dict[str, float], memory: dict[str, tuple[float, float]]
) -> Iterator[tuple[str, ...]]:
    for name, speed in speeds.items():
        multiples = [f"{multiple:.2f}x" for multiple in memory.get(name, ())] or ["", ""]
        yield what, name, f"{speed:.1f}", f"{speed / speeds[OURS]:.3f}x", *multiples


def _verdicts(
    megabytes: float,
    result: str,
    speeds: dict[str, float],
    memory: dict[str, tuple[float, float]],
) -> Iterator[Verdict]:
    peer = "orjson" if "orjson" in speeds else "json"
    if peer not in speeds:
        return
    what = f"{megabytes:g} MB of predictions"
    is_judged = megabytes == JUDGED and result == "objects"
    for name in (OURS, TOUCHED):
        if name not in speeds:
            continue
        bar = BARS[name] if is_judged else None
        yield Verdict(
            f"{what} to {result}{name.removeprefix(OURS)}",
            f"{speeds[name]:.0f} MB/s",
            f"{peer} {speeds[peer]:.0f} MB/s",
            speeds[name] / speeds[peer],
            f"at least {bar:g} MB/s" if bar else "",
            speeds[name] >= bar if bar else None,
            ratio(speeds[name], speeds.get(OFFICIAL)),
        )
    if is_judged:
        most, theirs = memory[OURS][0], memory[peer][0]
        yield Verdict(
            f"memory held by {what}",
            f"{most:.2f}x the body",
            f"{peer} {theirs:.2f}x",
            most / theirs,
            f"at most {MOST_HELD}x the body",
            most <= MOST_HELD,
            ratio(most, memory[OFFICIAL][0]) if OFFICIAL in memory else None,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--megabytes", type=float, nargs="+")
    options = parser.parse_args()
    print_verdicts(run(full=options.full, sizes=options.megabytes))


if __name__ == "__main__":
    main()
