"""What a bulk run was given, and what is wrong with what came of it.

`RunSources` makes sources that can be told apart, and holds the files of a run and the books of
a `HostileService` against them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from attrs import field, frozen
from click.testing import CliRunner
from hostile_results import Kind, score_of

from humeai_async.cli.main import commands


@frozen
class RunSources:
    """The sources of a run."""

    by_kind: Mapping[Kind, list[str]]
    """URLs, texts, and the paths of files."""
    md5s: Mapping[str, str] = field(factory=dict[str, str])
    """MD5 of each file, by its path."""

    @classmethod
    def make(
        cls, folder: Path, kinds: Iterable[Kind], count: int, *, tag: object = ""
    ) -> RunSources:
        """Make so many sources of each kind; `tag` tells them from those of another run."""
        by_kind: dict[Kind, list[str]] = {}
        md5s: dict[str, str] = {}
        for kind in kinds:
            if kind == "urls":
                host = "https://Media.Example.com"
                by_kind[kind] = [f"{host}/my clips/{tag}-{n}.mp4" for n in range(count)]
            elif kind == "text":
                by_kind[kind] = [f"this is {tag} text number {n}" for n in range(count)]
            else:
                paths = [folder / f"{n}.wav" for n in range(count)]
                for number, path in enumerate(paths):
                    content = b"RIFF" + f"{tag} {number} ".encode() * 40
                    path.write_bytes(content)
                    md5 = hashlib.md5(content, usedforsecurity=False)
                    md5s[os.fspath(path)] = md5.hexdigest()
                by_kind[kind] = list(md5s)
        return cls(by_kind, md5s)

    @property
    def names(self) -> list[str]:
        """All of them, as results call them."""
        return [name for names in self.by_kind.values() for name in names]

    @property
    def given(self) -> list[str | Path]:
        """All of them, as a run is given them."""
        return [Path(name) if name in self.md5s else name for name in self.names]

    def identity(self, name: str) -> str:
        """Return what the service knows a source by."""
        return self.md5s.get(name, name)

    def swapped(self, lines: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the sources that have something else than their own predictions."""
        good = [line for line in lines if "error" not in line]
        return [
            line["source"]
            for line in good
            if scores_in(line["predictions"]) != {score_of(self.identity(line["source"]))}
        ]

    def find_faults(
        self,
        folder: Path,
        carried_out: Mapping[str, int],
        *,
        is_exact: bool = True,
        may_doubt: bool = False,
    ) -> dict[str, Any]:
        """Hold what a run came to against what it should have come to.

        Args:
            folder: The run's folder.
            carried_out: How often the service carried out each source.
            is_exact: Whether the library wrote the file of results; a consumer that writes it
                gets again what it had in hand when it was killed.
            may_doubt: Whether sources may stay open, as the ledger says: where nobody can tell
                whether a submission was carried out, because the service does not list all jobs
                of one millisecond.

        Returns:
            What is wrong, by kind of fault.
        """
        lines = lines_of(folder)
        wanted = Counter(self.names)
        good = Counter(line["source"] for line in lines if "error" not in line)
        known = {self.identity(name) for name in self.names}
        lost = sorted((wanted - good).elements())
        is_told = may_doubt and len(lost) == status_of(folder).get("open", 0)
        found: dict[str, Any] = {
            "doubled": [one for one, count in carried_out.items() if count > 1],
            "of nobody": sorted(set(carried_out) - known),
            "swapped": self.swapped(lines),
            "lost": [] if is_told else lost,
            "failed": [line for line in lines if "error" in line],
        }
        if is_exact:
            found["written twice"] = sorted((good - wanted).elements())
            found["status"] = total_fault(folder)
        return {name: what for name, what in found.items() if what}


def total_fault(folder: Path) -> str:
    """Say where `status` and the file of results tell different totals."""
    told, count = status_of(folder), len(lines_of(folder))
    is_same = told.get("arrived", 0) + told.get("failed", 0) == count
    return "" if is_same else f"{told} with {count} outcomes in the file"


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Read the results of a run, as far as they are whole lines."""
    path = folder / "predictions.jsonl"
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [json.loads(line) for line in whole.splitlines()]


def status_of(folder: Path) -> dict[str, Any]:
    """Ask `humeai-async status`; nothing where the run has no ledger yet."""
    told = CliRunner().invoke(commands, ["status", os.fspath(folder), "--json"])
    return dict(json.loads(told.stdout)) if told.stdout.startswith("{") else {}


def scores_in(value: object) -> set[float]:
    """Find every score in the JSON of predictions."""
    found: set[float] = set()
    if isinstance(value, list):
        inner = cast("list[object]", value)
    elif isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        inner = list(fields.values())
        if "score" in fields:
            found.add(fields["score"])
    else:
        return found
    return found.union(*(scores_in(one) for one in inner))
