"""What is handed out is whole, and imports without a word under every switch of Python."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipapp
import zipfile
from pathlib import Path

import pytest

from humeai_async import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

IMPORT_ALL = """
import importlib, pkgutil, humeai_async
for found in pkgutil.walk_packages(humeai_async.__path__, "humeai_async."):
    if found.name.rpartition(".")[2] not in {"__main__", "pytest_plugin"}:
        importlib.import_module(found.name)
for name in humeai_async.__all__:
    getattr(humeai_async, name)
print("imported")
"""
ASK = """
import asyncio
from humeai_async import HumeAI
from humeai_async.testing import FakeHume

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a loaded machine is no fault
    async with FakeHume() as fake, HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
        job = await hume.batch.start_job(urls=["https://media.example.com/a.mp4"])
        await job.wait(timeout=10)
        print(len(await job.predictions()), "source")

asyncio.run(main())
"""


def run(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def build(target: str, folder: Path) -> Path:
    """Build a wheel or an sdist from the checkout, as `pip` and `python -m build` do."""
    pytest.importorskip("hatchling", reason="comes with the extra test")
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)  # noqa: S603 - our own
    [built] = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.mark.slow
@pytest.mark.parametrize("switches", [("-W", "error", "-X", "dev"), ("-OO",)], ids=str)
def test_every_module_imports_without_a_warning(switches: tuple[str, ...]) -> None:
    assert run(*switches, "-c", IMPORT_ALL) == "imported\n"


@pytest.mark.slow
@pytest.mark.parametrize("switches", [("-W", "error", "-X", "dev"), ("-OO",)], ids=str)
def test_a_job_runs_without_a_warning(switches: tuple[str, ...]) -> None:
    assert run(*switches, "-c", ASK) == "1 source\n"


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
    top = {name.partition("/")[0] for name in names}
    assert top == {"humeai_async", f"humeai_async-{__version__}.dist-info"}
    assert {"humeai_async/py.typed"} <= names
    files = {str(p.relative_to(ROOT)) for p in (ROOT / "humeai_async").rglob("*.py")}
    assert files == {name for name in names if name.endswith(".py")}


@pytest.mark.slow
def test_the_sdist_holds_what_its_own_tests_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    tracked = {
        str(path.relative_to(ROOT))
        for folder in ("humeai_async", "tests", "benchmarks", ".github", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", ".hypothesis"} & set(path.parts)
    }
    assert tracked <= names
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"} <= names


@pytest.mark.slow
def test_a_zipapp_of_the_package_runs(tmp_path: Path) -> None:
    """The package reads nothing beside its modules, so that it works from inside of a ZIP."""
    source = tmp_path / "app"
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        wheel.extractall(source)  # noqa: S202 - our own wheel
    (source / "__main__.py").write_text(ASK + "print(__import__('humeai_async').__file__)")
    zipapp.create_archive(source, tmp_path / "app.pyz")
    first, second = run("-P", "-s", str(tmp_path / "app.pyz")).splitlines()
    assert first == "1 source"
    assert "app.pyz" in second


def test_every_address_of_the_project_is_one_that_the_documentation_names() -> None:
    assert PROJECT["urls"] == {
        "Hume": "https://dev.hume.ai",
        "LowCodeAPI": "https://lowcodeapi.com",
    }


def test_the_classifiers_name_every_python_from_the_lowest_on() -> None:
    lowest = PROJECT["requires-python"].removeprefix(">=")
    prefix = "Programming Language :: Python :: 3."
    minors = [int(c.removeprefix(prefix)) for c in PROJECT["classifiers"] if c.startswith(prefix)]
    assert minors == list(range(int(lowest.removeprefix("3.")), minors[-1] + 1))
    assert sys.version_info.minor in minors
