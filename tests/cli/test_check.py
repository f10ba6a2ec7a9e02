"""`humeai-async check`: what it prints of a gateway's definition, and its exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from humeai_async.catalog.comparison import Comparison
from humeai_async.cli.main import main
from humeai_async.testing import FakeHume, rows

pytestmark = pytest.mark.fake_hume(dialect="gateway-recorded")


def check(*words: str) -> object:
    with pytest.raises(SystemExit) as done:
        main(["check", *words])
    return done.value.code


def test_differences_are_a_table_and_exit_code_1(
    fake_hume: FakeHume, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert check() == 1  # the stand-in's gateway has neither queries nor bodies
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"63 endpoints in {fake_hume.url}/definition"
    [row] = [line for line in lines if line.startswith("GET /v0/evi/configs ")]
    assert "lacks page_number, page_size" in row
    assert [dict(one.query) for one in fake_hume.requests] == [{}]  # and no token


def test_differences_are_json_too(
    fake_hume: FakeHume, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ROWS", (*rows.ROWS[:-1], rows.Row("GET", "/v1/new")))
    assert check("--base-url", fake_hume.url, "--json") == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["PATCH /v0/evi/tools/{id}/version/{version}"]
    assert found["new"] == ["GET /v1/new"]
    assert {"row", "missing", "new"} == found["changed"][0].keys()
    assert found["is_equal"] is False


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, ["the same endpoints and parameters as in this library"]),
        ({"missing": ("GET /v0/a",)}, ["GET /v0/a", "not in the definition"]),
        ({"new": ("GET /v1/\x1b[2J",)}, ["GET /v1/\\x1b[2J", "unknown to this library"]),
    ],
    ids=["equal", "missing", "new"],
)
@pytest.mark.usefixtures("fake_hume")
def test_a_definition_that_has_more_or_less_is_told_endpoint_by_endpoint(
    given: dict[str, Any],
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = Comparison(url="u", rows=1, missing=(), new=(), changed=())

    def compare(*_: object) -> Comparison:
        return evolve(nothing, **given)

    monkeypatch.setattr("humeai_async.cli.check.compare", compare)
    assert check() == int(bool(given))
    printed = capsys.readouterr().out
    assert [line for line in lines if line not in printed] == []


def test_a_mistake_in_the_command_is_exit_code_2() -> None:
    assert check("--base-url", "not a url") == 2
