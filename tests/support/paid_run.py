"""A bulk run of decisions as a program that a test kills: `paid_run.py URL KEY FOLDER PATIENCE`.

It decides all WAV files of a folder with a ledger beside them, and writes a line for each outcome
into `outcomes.jsonl` before it asks for the next one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from humeai_async import HumeAI, Retry
from humeai_async.decisions import Noul, QuestionSet

QUESTIONS = QuestionSet({"calm": Noul("Does the caller sound calm?")})


async def run(url: str, key: str, folder: Path, patience: float) -> None:
    """Go on with the run to its end."""
    paths = sorted(folder.glob("*.wav"))
    with (folder / "outcomes.jsonl").open("a") as written:
        async with HumeAI(
            api_key=key, base_url=url, retry=Retry(attempts=2, initial_delay=0.05)
        ) as hume:
            outcomes = hume.decisions.create_many(
                paths, QUESTIONS, ledger=folder / "run.db", search_patience=patience
            )
            async for one in outcomes:
                value = None if one.error else one.result()["calm"].noul
                error = None if one.error is None else type(one.error).__name__
                line = {"name": Path(str(one.source)).name, "value": value, "error": error}
                written.write(json.dumps(line | {"open": one.is_open}) + "\n")
                written.flush()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
