"""What the official package's README shows, written with this library."""

from __future__ import annotations

from pathlib import Path

from humeai_async import APIStatusError, HumeAI, Retry


async def list_configs(hume: HumeAI) -> list[str]:
    """Its "Async Client": the names of the configs."""
    return [config.name or "" async for config in hume.configs.list()]


async def write_artifacts(hume: HumeAI, job_id: str, path: Path) -> None:
    """Its "Writing File": the artifacts of a job, to disk piece by piece."""
    await hume.batch.job(job_id).save_artifacts(path)


async def report_failure(hume: HumeAI) -> tuple[int, str]:
    """Its "Exception Handling": the status and the text of an error."""
    try:
        await hume.batch.get_predictions("my-job-id")
    except APIStatusError as error:
        return error.status, error.message
    raise LookupError("there is such a job")


async def page_through_tools(hume: HumeAI) -> tuple[list[str], list[int], list[str]]:
    """Its "Pagination": item by item, page by page, and one page after the other by hand."""
    items = [tool.id async for tool in hume.tools.list()]
    sizes = [len(page.items) async for page in hume.tools.list(page_size=2).pages()]
    pages = hume.tools.list(page_size=2).pages()
    first = await anext(pages)
    second = await anext(pages)
    return items, sizes, [tool.id for tool in (*first.items, *second.items)]


async def patiently(hume: HumeAI, job_id: str) -> int:
    """Its "Retries" and "Timeouts": other settings for some calls."""
    patient = hume.with_options(retry=Retry(attempts=6), timeout=20)
    return len(await patient.batch.get_predictions(job_id))
