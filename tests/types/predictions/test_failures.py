"""What failed is in a table of its own, beside the predictions."""

from __future__ import annotations

from tabular import body, face, url_source

from humeai_async.types.predictions.failures import Failure, Failures
from humeai_async.types.predictions.predictions import Predictions


def some_failed() -> Predictions:
    whole = {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"}
    archive = url_source("https://x/c.zip", face=[face(0)])
    archive["results"]["errors"] = [{"file": "c/2.mp4", "message": "broken"}]
    unreadable = {"source": {"type": "text"}, "results": 5}
    good = url_source("https://x/a.mp4", face=[face(0)])
    return Predictions.from_json(body(good, whole, archive, unreadable))


def test_sources_and_files_that_failed_are_told() -> None:
    whole, file, unreadable = some_failed().failures
    assert whole == Failure(
        source="https://x/b.mp4", error="SourceFailedError", message="not found"
    )
    assert (file.source, file.file, file.message) == ("https://x/c.zip", "c/2.mp4", "broken")
    assert file.error == "FileFailedError"
    assert (unreadable.source, unreadable.error) == ("#3", "DecodeError")
    assert "cannot be read" in unreadable.message


def test_every_source_is_in_the_table_or_in_the_failures() -> None:
    found = some_failed()
    in_table = set(found.to_arrow()["source"].to_pylist())
    assert in_table | {failure.source for failure in found.failures} == {
        name for name, _ in found.named()
    }


def test_failures_are_a_sequence_and_a_frame() -> None:
    failures = some_failed().failures
    assert failures[0] == failures[:1][0]
    assert failures == Failures(list(failures))
    assert failures != [*failures]
    assert failures.to_polars().columns == [
        "source", "file", "job_id", "error", "message", "is_open",
    ]  # fmt: skip
    assert failures.to_pandas()["error"].tolist() == [failure.error for failure in failures]
    assert failures.to_arrow()["is_open"].to_pylist() == [False] * 3


def test_no_failures_are_an_empty_frame() -> None:
    empty = Failures()
    assert (len(empty), empty.to_arrow().num_rows, empty.to_polars().height) == (0, 0, 0)


def test_a_failure_shows_no_query() -> None:
    failure = Failure(source="https://x/a.mp4?sig=secret", error="E", message="no")
    assert "secret" not in repr(failure)
    assert "secret" not in repr(Failures([failure]))
