"""How fast a run was, second by second: a small file beside its results.

`PaceLog` is given each state of a run (`on_progress=` of `predict_into`) and writes a line at most
every second, so that a report can draw sources and 429s over time. Starts of the same run follow
one another in one file.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from humeai_async.bulk.progress import Progress

__all__ = ["PACE_FILE", "PaceLog", "read_pace"]

PACE_FILE = "pace.jsonl"
_SECONDS = 1.0
_MOST_POINTS = 400


class PaceLog:
    """Writes how far a run is, at most once a second; what the disk refuses is left out.

    Args:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PACE_FILE
        self._next = 0.0
        self._begin = time.time()

    def update(self, progress: Progress) -> None:
        """Take note of a state of the run."""
        is_last = (
            progress.total is not None and progress.done + progress.left_open >= progress.total
        )
        if progress.seconds < self._next and not is_last:
            return
        self._next = progress.seconds + _SECONDS
        line = {
            "at": round(self._begin + progress.seconds, 2),
            "done": progress.done,
            "failed": progress.failed,
            "refused": progress.pace.refused,
        }
        try:
            with self._file.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps(line) + "\n")
        except OSError:
            self._next = float("inf")  # a picture less is no reason to stop a run


def read_pace(folder: Path) -> list[list[float]]:
    """Return the pace of a run: seconds since its first start, sources done, and 429s, so far.

    Returns:
        Some hundred points at most, in order; none where nothing was written.
    """
    try:
        lines = (folder / PACE_FILE).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    points: list[list[float]] = []
    refused, last = 0.0, 0.0
    for line in lines:
        found = _read_line(line)
        if found is None:
            continue
        at, done, now = found
        refused += now - last if now >= last else now  # each start counts from nothing
        last = now
        points.append([at, done, refused])
    step = max(len(points) // _MOST_POINTS, 1)
    kept = points[::step] + (points[-1:] if (len(points) - 1) % step else [])
    return [[round(at - points[0][0], 2), done, count] for at, done, count in kept]


def _read_line(line: str) -> tuple[float, float, float] | None:
    try:
        found: Any = json.loads(line)
        return float(found["at"]), float(found["done"]), float(found["refused"])
    except (ValueError, KeyError, TypeError):
        return None
