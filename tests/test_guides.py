"""What the guides and the README show runs as it stands there."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import aiohttp
import anyio.to_thread
import pytest
from live_support import picture, silence, speech, wav
from nested_pytest import ALONE, PLUGINS

from humeai_async import HumeAI

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "humeai_async" / "guides").glob("*.md"))
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
FILE = re.compile(r"# (\w+\.py)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PACKAGES = {
    "logging": ["opentelemetry"],
    "many-workers": ["dask", "redis"],
    "shared-quota": ["redis"],
    "web-backends": ["fastapi"],
    "tables": ["pyarrow", "polars", "altair", "vl_convert"],
}
"""Packages that the guides need which not every installation has."""
TOP_LEVEL = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def blocks(guide: Path) -> list[str]:
    return BLOCK.findall(guide.read_text("utf-8"))


def programs(guide: Path) -> dict[str, str]:
    """Return blocks that are files of their own, by name."""
    found = {code: FILE.match(code) for code in blocks(guide)}
    return {match[1]: code for code, match in found.items() if match}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a recording and an image in it."""
    monkeypatch.chdir(tmp_path)
    Path("interview.wav").write_bytes(wav(silence(0.5) + speech(4) + silence(1) + speech(4)))
    Path("photos").mkdir()
    Path("photos", "one.jpg").write_bytes(picture())
    return tmp_path


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
@pytest.mark.usefixtures("folder")
@pytest.mark.slow
async def test_every_block_of_a_guide_runs(guide: Path, hume: HumeAI) -> None:
    for package in PACKAGES.get(guide.stem, []):
        pytest.importorskip(package, reason="the guide is about an extra")
    names: dict[str, Any] = {"hume": hume, "__name__": "guide"}
    for code in blocks(guide):
        compiled = compile(code, guide.name, "exec", flags=TOP_LEVEL)
        if FILE.match(code):
            continue  # whole programs are run by the tests below
        running = types.FunctionType(compiled, names)()
        if inspect.iscoroutine(running):
            with anyio.fail_after(60):
                await running
        names["hume"] = hume


@pytest.mark.slow
async def test_the_tests_of_the_testing_guide_pass(tmp_path: Path) -> None:
    guide = next(guide for guide in GUIDES if guide.stem == "testing")
    for name, code in programs(guide).items():
        (tmp_path / name).write_text(code)
    command = [sys.executable, "-P", "-m", "pytest", "-q", *PLUGINS]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(  # noqa: S603 - our own command
            [*command, str(tmp_path)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | ALONE,
            check=False,
        )
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("page", [*GUIDES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_leads_to_every_guide() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [guide.name for guide in GUIDES if f"guides/{guide.name}" not in text] == []


OFFICIAL = {
    "expression_measurement.batch": """list_jobs start_inference_job get_job_details
        get_job_predictions get_job_artifacts start_inference_job_from_local_file""",
    "expression_measurement.stream.stream": "connect",
    "empathic_voice.chat": "connect",
    "empathic_voice.chat_groups": """list_chat_groups get_chat_group get_audio
        list_chat_group_events""",
    "empathic_voice.chats": "list_chats list_chat_events get_audio",
    "empathic_voice.configs": """list_configs create_config list_config_versions
        create_config_version delete_config update_config_name get_config_version
        delete_config_version update_config_description""",
    "empathic_voice.control_plane": "send connect",
    "empathic_voice.prompts": """list_prompts create_prompt list_prompt_versions
        create_prompt_version delete_prompt update_prompt_name get_prompt_version
        delete_prompt_version update_prompt_description""",
    "empathic_voice.tools": """list_tools create_tool list_tool_versions create_tool_version
        delete_tool update_tool_name get_tool_version delete_tool_version
        update_tool_description""",
    "tts": """synthesize_json synthesize_file synthesize_file_streaming
        synthesize_json_streaming convert_voice_file convert_voice_json""",
    "tts.stream_input": "connect",
    "tts.voices": "list create delete",
}
"""Methods of the asynchronous client of `hume` 0.13.13."""
OFFICIAL_ROW = re.compile(
    r"^\| `((?:expression_measurement|empathic_voice|tts)\.[\w.]+)` \| (.*) \|$", re.MULTILINE
)


def test_every_method_of_the_official_sdk_has_a_row_and_what_it_names_is_there() -> None:
    guide = next(guide for guide in GUIDES if guide.stem == "from-the-official-sdk")
    rows = dict(OFFICIAL_ROW.findall(guide.read_text("utf-8")))
    official = {f"{where}.{name}" for where, names in OFFICIAL.items() for name in names.split()}
    assert set(rows) == official
    hume = HumeAI(api_key="key")
    for text in rows.values():
        for resource, method in re.findall(r"`(\w+)\.(\w+)[(`]", text):
            if resource != "job":
                assert callable(getattr(getattr(hume, resource), method)), text


@pytest.mark.usefixtures("fake_hume")
@pytest.mark.slow
async def test_a_job_with_a_progress_bar_is_started_followed_and_handed_out(
    folder: Path,
) -> None:
    pytest.importorskip("fastapi", reason="comes with the extra test")
    pytest.importorskip("uvicorn", reason="comes with the extra test")
    guide = next(guide for guide in GUIDES if guide.stem == "web-backends")
    for name, code in programs(guide).items():
        (folder / name).write_text(code)
    command = [sys.executable, "-m", "uvicorn", "jobs_app:app", "--port", "0"]
    process = await anyio.open_process(command, cwd=folder, stderr=subprocess.PIPE)
    try:
        origin = await read_origin(process)
        async with aiohttp.ClientSession(origin) as browser:
            url = "https://media.example.com/a.mp4"
            async with browser.post("/jobs", params={"url": url}) as response:
                job = (await response.json())["id"]
            async with browser.get(f"/jobs/{job}/progress") as response:
                assert response.content_type == "text/event-stream"
                assert 'data: {"status": "COMPLETED"}' in await response.text()
            async with browser.get(f"/jobs/{job}/result") as response:
                assert (await response.json())[0]["source"]["url"] == url
            async with browser.post("/hume-callback", json={"job_id": job}) as response:
                assert response.status == 204
            async with browser.get("/jobs/no-such-job/progress") as response:
                assert "event: problem" in await response.text()
    finally:
        process.terminate()
        await process.wait()
        await process.aclose()


async def read_origin(process: Any) -> str:
    """Return the address that uvicorn says it serves on."""
    text = ""
    with anyio.fail_after(30):
        async for piece in process.stderr:
            text += piece.decode()
            if found := re.search(r"http://[\d.]+:\d+", text):
                return found[0]
    raise AssertionError(text)
