"""The pytest plugin: what a project that uses the library writes, and what it then gets."""

from __future__ import annotations

import ast
import asyncio
import os
from pathlib import Path

import pytest
from nested_pytest import ALONE, PLUGINS

from humeai_async import HumeAI, pytest_plugin
from humeai_async.testing import FakeHume, Fault

ON_BOTH_BACKENDS = """
import pytest

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.mark.anyio
async def test_mine(hume, fake_hume):
    job = await hume.batch.start_job(text=["What a day!"], models={"language": {}})
    await job.wait()
    assert fake_hume.count(method="POST") == 1
"""

WITH_MARKS = """
import pytest
from humeai_async import HumeAI

pytestmark = pytest.mark.fake_hume(dialect="gateway-recorded", frames=5)

@pytest.mark.fake_hume(frames=2)
def test_the_closest_wins(hume, fake_hume):
    assert fake_hume.dialect == "gateway-recorded"
    assert fake_hume.upstream.jobs._world.options.frames == 2
    assert hume.base_url == fake_hume.url == HumeAI().base_url
"""


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes of their own load the two plugins that they name, and no others."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)


def test_the_module_imports_nothing_of_the_library_at_its_start() -> None:
    tree = ast.parse(Path(pytest_plugin.__file__).read_text("utf-8"))
    imported = {
        name
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    assert not [name for name in imported if name and name.startswith("humeai_async")]


@pytest.mark.slow
def test_a_test_on_asyncio_passes_and_its_run_on_trio_is_skipped(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(ON_BOTH_BACKENDS)
    done = pytester.runpytest_subprocess(*PLUGINS)
    done.assert_outcomes(passed=1, skipped=1)


@pytest.mark.slow
def test_marks_set_the_stand_in_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WITH_MARKS)
    pytester.runpytest_subprocess(*PLUGINS, "--strict-markers").assert_outcomes(passed=1)


@pytest.mark.anyio
async def test_a_failed_request_is_repeated_within_milliseconds(
    hume: HumeAI, fake_hume: FakeHume
) -> None:
    fake_hume.faults.add(Fault("status", status=503, times=2))
    async with asyncio.timeout(5):
        await hume.configs.list()
    assert fake_hume.count(status=503) == 2


@pytest.mark.slow
def test_a_mark_without_names_is_told_what_to_write(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.fake_hume("gateway-recorded")
        def test_mine(fake_hume): ...
        """
    )
    done = pytester.runpytest_subprocess(*PLUGINS, "--strict-markers")
    done.stdout.fnmatch_lines(["*the mark takes names: fake_hume(dialect=*"])


@pytest.mark.anyio
@pytest.mark.fake_hume(run_seconds=60)
async def test_a_job_of_a_minute_takes_less_than_a_second(hume: HumeAI) -> None:
    job = await hume.batch.start_job(text=["What a day!"])
    async with asyncio.timeout(10):
        await job.wait()
    assert job.status == "COMPLETED"


def test_code_that_is_not_asynchronous_reaches_the_stand_in(fake_hume: FakeHume) -> None:
    async def work() -> str:
        async with HumeAI() as hume:  # as in a view of Django or Flask, or a task of Celery
            return (await hume.batch.start_job(text=["What a day!"])).id

    assert asyncio.run(work()) in fake_hume.jobs
    assert not os.environ["LOWCODEAPI_API_TOKEN"]


def test_a_client_serves_one_event_loop_after_another(hume: HumeAI, fake_hume: FakeHume) -> None:
    async def work() -> None:
        await hume.configs.list()

    for _ in range(3):
        asyncio.run(work())
    assert fake_hume.count(path="/v0/evi/configs", status=200) == 3


def test_a_stand_in_serves_on_a_thread_between_with_and_its_end() -> None:
    async def work(fake: FakeHume) -> None:
        async with HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
            await hume.configs.list()

    with FakeHume() as fake:
        asyncio.run(work(fake))
    assert fake.count(status=200) == 1
    assert fake.connections_open == 0


def test_a_port_that_is_taken_leaves_no_thread_behind() -> None:
    with FakeHume() as fake, pytest.raises(OSError, match="in use"), FakeHume(port=fake.port):
        pass
