"""A paid bulk run as a program that a test kills: `paid_run.py URL KEY FOLDER PATIENCE`.

It decides all WAV files of a folder, or measures its JPEG images, with a ledger beside them, and
writes a line for each outcome into `outcomes.jsonl` before it asks for the next one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from humeai_async import HumeAI, Retry
from humeai_async.decisions import Noul, QuestionSet
from humeai_async.types.decisions import Decision

QUESTIONS = QuestionSet({"calm": Noul("Does the caller sound calm?")})


def value_of(result: Any) -> Any:
    """Return what tells the result of one source from those of others."""
    if isinstance(result, Decision):
        return result["calm"].noul
    return [[face.confidence, *face.bbox] for face in result.measurements[0].faces]


async def run(url: str, key: str, folder: Path, patience: float) -> None:
    """Go on with the run to its end."""
    clips, images = sorted(folder.glob("*.wav")), sorted(folder.glob("*.jpg"))
    settings: Any = {"ledger": folder / "run.db", "search_patience": patience}
    with (folder / "outcomes.jsonl").open("a") as written:
        async with HumeAI(
            api_key=key, base_url=url, retry=Retry(attempts=2, initial_delay=0.05)
        ) as hume:
            outcomes: Any = (
                hume.expression.measure_many(images, images_per_request=5, **settings)
                if images
                else hume.decisions.create_many(clips, QUESTIONS, **settings)
            )
            async for one in outcomes:
                value = None if one.error else value_of(one.result())
                error = None if one.error is None else type(one.error).__name__
                line = {"name": Path(str(one.source)).name, "value": value, "error": error}
                written.write(json.dumps(line | {"open": one.is_open}) + "\n")
                written.flush()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
