"""Standard output and standard error that are missing, full, or read by nobody."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from humeai_async.cli.output import OutputError, lossy_stderr, writing_output


def test_without_standard_output_nothing_is_printed_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with writing_output():
        print("lost")  # noqa: T201 - what is tested


def test_an_error_of_a_file_is_told_where_there_is_no_standard_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="Input/output error"), writing_output():
        raise OSError(5, os.strerror(5))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_standard_output_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputError, match="No space left on device"), writing_output():
            print("lost")  # noqa: T201 - what is tested


def test_a_reader_that_has_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with writing_output():
            print("lost")  # noqa: T201 - what is tested


def test_progress_without_standard_error_is_lost_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    stream = lossy_stderr()
    assert stream.write("lost") == 4
    stream.flush()
    assert not stream.isatty()
    assert stream.encoding == "utf-8"
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()


def test_progress_on_a_terminal_is_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert lossy_stderr().fileno() == stream.fileno()
