"""How fast do predictions become tables?

    python -m benchmarks.tables [--full] [--megabytes 10]

One body of predictions of faces, from bytes to an Arrow table (wide and long), a data frame and a
Parquet file, to the files of a run and to one array of scores, against what is done by hand: json
and pandas, polars, duckdb, and the official SDK with pandas. Megabytes of JSON for a
second of CPU, all threads counted; they take turns in one process.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bodies import body_of
from benchmarks.measuring import (
    OFFICIAL,
    Spent,
    Stopwatch,
    Verdict,
    in_turn,
    is_there,
    print_table,
    print_verdicts,
    ratio,
)
from humeai_async.bulk.sinks import Sinks, SourceOutcome
from humeai_async.types.predictions.predictions import Predictions

Work = Callable[[Path], object]
LEAST = 2.0
"""Times the speed of json and pandas, at least."""


def ours_to_arrow(file: Path) -> object:
    return Predictions.from_json(file.read_bytes()).to_arrow()


def ours_of_a_model(file: Path) -> object:
    return Predictions.from_json(file.read_bytes()).to_polars(model="face")


def ours_to_long(file: Path) -> object:
    return Predictions.from_json(file.read_bytes()).to_arrow(long=True)


def ours_to_parquet(file: Path) -> None:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    parquet.write_table(ours_to_arrow(file), file.with_suffix(".parquet"), compression="zstd")


def ours_to_file(file: Path, form: str) -> None:
    found = Predictions.from_json(file.read_bytes())
    with tempfile.TemporaryDirectory() as folder, Sinks(Path(folder), [form]) as sinks:
        for source in found:
            sinks.write(SourceOutcome(source="https://media.example.com/a.mp4", predictions=source))
        sinks.sync()
        sinks.finish()


def ours_all_scores(file: Path) -> object:
    return Predictions.from_json(file.read_bytes()).scores("face")


def by_official(file: Path) -> object:
    """Read as the official SDK does, and put its objects into a frame."""
    core: Any = importlib.import_module("hume.core.pydantic_utilities")
    types: Any = importlib.import_module("hume.expression_measurement.batch.types")
    pandas: Any = importlib.import_module("pandas")
    body = json.loads(file.read_bytes())
    (source,) = core.parse_obj_as(type_=list[types.UnionPredictResult], object_=body)
    groups = source.results.predictions[0].models.face.grouped_predictions
    return pandas.DataFrame(
        [
            {"frame": face.frame, "time": face.time, "prob": face.prob}
            | {pair.name: pair.score for pair in face.emotions}
            for group in groups
            for face in group.predictions
        ]
    )


def by_pandas(file: Path) -> object:
    pandas: Any = importlib.import_module("pandas")
    source = json.loads(file.read_bytes())[0]
    groups = source["results"]["predictions"][0]["models"]["face"]["grouped_predictions"]
    return pandas.DataFrame(
        [
            {"frame": face["frame"], "time": face["time"], "prob": face["prob"], **face["box"]}
            | {pair["name"]: pair["score"] for pair in face["emotions"]}
            for group in groups
            for face in group["predictions"]
        ]
    )


def by_polars(file: Path) -> object:
    pl: Any = importlib.import_module("polars")
    groups = pl.col("results").struct.field("predictions").explode().struct.field("models")
    faces = groups.struct.field("face").struct.field("grouped_predictions").explode()
    frame = pl.read_json(file).select(faces.struct.field("predictions").explode().alias("face"))
    return frame.unnest("face").explode("emotions").unnest("emotions")


def by_duckdb(file: Path) -> object:
    duckdb: Any = importlib.import_module("duckdb")
    found = f"read_json('{file}', maximum_object_size={2**30})"
    query = f"""
        WITH sources AS (SELECT unnest(results.predictions) AS file FROM {found}),
        groups AS (SELECT unnest(file.models.face.grouped_predictions) AS g FROM sources),
        faces AS (SELECT unnest(g.predictions) AS face FROM groups),
        scores AS (SELECT face.frame, face.time, unnest(face.emotions) AS pair FROM faces)
        SELECT frame, time, pair.name, pair.score FROM scores
    """  # noqa: S608 - our own file
    with duckdb.connect() as opened:
        return opened.sql(query).to_arrow_table()


OURS: dict[str, Work] = {
    "Arrow": ours_to_arrow,
    "polars, one model": ours_of_a_model,
    "Arrow, long": ours_to_long,
    "Parquet": ours_to_parquet,
    "a run's Parquet": functools.partial(ours_to_file, form="parquet"),
    "CSV": functools.partial(ours_to_file, form="csv"),
    "JSON lines": functools.partial(ours_to_file, form="jsonl"),
    "all scores, an array": ours_all_scores,
}
PEERS: dict[str, Work] = {
    "json + pandas": by_pandas,
    "polars (long)": by_polars,
    "duckdb (long)": by_duckdb,
    OFFICIAL: by_official,
}

PACKAGES = {
    OFFICIAL: "hume",
    "json + pandas": "pandas",
    "polars (long)": "polars",
    "duckdb (long)": "duckdb",
}


def burst(work: Work, file: Path) -> Spent:
    watch = Stopwatch()
    work(file)
    return watch.read()


def run(*, full: bool, megabytes: float = 10.0) -> list[Verdict]:
    there = {name: work for name, work in PEERS.items() if is_there(PACKAGES[name])}
    works = OURS | there
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.json"
        file.write_bytes(body_of(megabytes))
        size = file.stat().st_size / 1e6
        bursts = {name: functools.partial(burst, work, file) for name, work in works.items()}
        for each in bursts.values():
            each()  # imports, and layouts that are learned
        spent = in_turn(bursts, 7 if full else 4, OFFICIAL)
    speeds = {name: size / each.cpu for name, each in spent.items()}
    rows = [
        (name, f"{speed:.0f}", f"{size / spent[name].wall:.0f}") for name, speed in speeds.items()
    ]
    print_table(
        f"{megabytes:g} MB of predictions to", ("what", "MB/s of CPU", "MB/s of time"), rows
    )
    peer = speeds.get("json + pandas")
    return [
        Verdict(
            f"predictions to {name}",
            f"{speeds[name]:.0f} MB/s",
            f"json + pandas {peer:.0f} MB/s" if peer else "",
            ratio(speeds[name], peer),
            f"at least {LEAST:g}x",
            speeds[name] >= LEAST * peer if peer else None,
            ratio(speeds[name], speeds.get(OFFICIAL)),
        )
        for name in OURS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--megabytes", type=float, default=10.0)
    options = parser.parse_args()
    print_verdicts(run(full=options.full, megabytes=options.megabytes))


if __name__ == "__main__":
    main()
