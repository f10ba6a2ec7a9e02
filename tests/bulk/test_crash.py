"""Runs that are killed at random lines and moments, again and again, and started until they end.

URLs, texts and files alike, by the command line and from a script, against a service that
loses, delays and doubles. 20 kills always; `HUMEAI_ASYNC_SOAK=1` makes them 500, prints the
tally with `-s`, and takes other ones each time (`HUMEAI_ASYNC_SEED` gives them again).
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from fork_runs import FOREIGN_ERROR
from hostile_gateway import DIALECTS, Dialect, settings_as_json
from hostile_results import SHAPES, Kind
from hostile_service import HostileService
from killed_runs import Ending, Starter, starter
from run_checks import RunSources, status_of, total_fault
from run_watch import HANGS
from support import parquet_column

from humeai_async.bulk.states import State

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are forked"),
]

SOAK = bool(os.environ.get("HUMEAI_ASYNC_SOAK"))
KILLS = 500 if SOAK else 20
KILLS_A_RUN = 4
RUNS_AT_ONCE = 6
EACH_KIND = 8
"""Sources of each kind in a run."""
LINES = 9000
"""About as many lines of the library's own as a run comes to."""
READ_TIMEOUT = 0.5
LATE = 0.7
"""Seconds after which a submission is carried out that its client gave up."""
PATIENCE = 3.0
"""Seconds for which a run looks for a submission before it sends another: more than that."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""
HELD = PATIENCE / 3
"""Seconds for which a submission waits for the next start to be carried out."""
STARTS = 8
"""Starts within which a run that nobody kills any more has to end."""


@define
class Tally:
    """What came of all kills."""

    kills: int = 0
    interrupts: int = 0
    runs: int = 0
    starts: int = 0
    codes: Counter[int] = field(factory=Counter[int])
    doubts: int = 0
    """Sources that are open in the end, since nobody can tell whether they were carried out."""
    faults: list[str] = field(factory=list[str])


@pytest.mark.parametrize("is_hostile", [False, True], ids=["calm", "hostile"])
async def test_a_run_killed_at_random_lines_doubles_swaps_and_loses_nothing(
    tmp_path: Path, is_hostile: bool
) -> None:
    first = int(os.environ.get("HUMEAI_ASYNC_SEED") or (random.getrandbits(30) if SOAK else 7))
    tally, seeds = Tally(), iter(range(first, first + 10_000))
    runs: list[KilledRun] = []

    async def make_runs(started: Starter) -> None:
        while tally.kills + tally.interrupts < KILLS // 2:
            seed = next(seeds)
            folder = tmp_path / str(seed)
            folder.mkdir()
            run = KilledRun(seed, folder, started, tally, is_hostile=is_hostile)
            runs.append(run)
            await run.be_killed_until_done()

    async with starter() as started:
        await asyncio.gather(*(make_runs(started) for _ in range(RUNS_AT_ONCE)))
    for run in runs:
        await asyncio.to_thread(run.check)
    print(f"first seed {first}: {tally}")  # noqa: T201 - the figures of the long form
    assert "" == "\n".join(tally.faults)


class KilledRun:
    """One run: its sources, its service, and its kills."""

    def __init__(
        self, seed: int, folder: Path, started: Starter, tally: Tally, *, is_hostile: bool
    ) -> None:
        self.seed = seed
        self.folder = folder
        self.out = folder / "out"
        self.started = started
        self.tally = tally
        self.is_hostile = is_hostile
        self.dice = random.Random(seed)  # noqa: S311 - a test's dice
        self.way = self.dice.choice(["command", "script", "script", "iterated"])
        self.formats = ["jsonl"]
        if self.way != "iterated" and self.dice.random() < 0.3:
            self.formats += ["csv", "parquet"]
        origins: list[Dialect | None] = [None, *DIALECTS]
        self.gateway: Dialect | None = self.dice.choice(origins) if is_hostile else None
        kinds: tuple[Kind, ...] = ("urls", "text", "files")
        if self.way == "command":
            # It takes no texts, and sends no files through a gateway.
            kinds = ("urls", "files") if self.gateway is None else ("urls",)
        self.sources = RunSources.make(folder, kinds, EACH_KIND, tag=seed)
        self.job_size = self.dice.choice([1, 2, 3, 5, 100])
        self.faults: dict[str, Any] = {}
        self.carried_out: Counter[str] = Counter()
        self.own_names: set[str] = set()
        """Names of the jobs that were carried out for it."""
        self.newer = 0
        """Jobs of others in the millisecond of each of ours; the service lists 50 of one."""

    async def be_killed_until_done(self) -> None:
        """Kill the run some times, let it end, and write down what is wrong."""
        self.tally.runs += 1
        async with self._service() as service:
            for number in range(KILLS_A_RUN):
                before = self._size()
                kill = self._random_kill()
                ending = await self._start(service, kill)
                if ending.code == 0:
                    break
                self._count(ending)
                # One that was stopped before it began leaves what a killed one has left.
                is_stopped = ending.code == INTERRUPTED and "again" not in kill
                if is_stopped and self._size() != before and self.way != "iterated":
                    shutil.copytree(self.out, self.folder / f"stopped-{number}")
            service.calm()
            codes: list[int] = []
            while 0 not in codes and len(codes) < STARTS:
                codes.append((await self._start(service, {})).code)
            if 0 not in codes:
                self.faults["did not end"] = codes
        self.carried_out = service.carried_out
        self.own_names = {job.id for job in service.journal}

    def _service(self) -> HostileService:
        latency = self.dice.choice([0.0, 0.15])
        service = HostileService(late=LATE, held=HELD, latency=latency, gateway=self.gateway)
        if self.is_hostile:
            service.clock = self.dice.choice([0.0, -600.0, 600.0])
            service.lag = self.dice.choice([0.0, 0.3])
            service.newer = self.newer = self.dice.choice([0, 0, 60])
            service.shapes = frozenset(self.dice.sample(SHAPES, 2))
            service.disturb(self.seed, posts=6, lists=4, fetches=4)
            if self.way == "command":  # it waits longer for a response than a run may last here
                for acts in (service.posts, service.fetches):
                    drawn = [act.replace("hang", "reset") for act in acts]
                    acts.clear()
                    acts.extend(drawn)
            self._add_foreign_jobs(service)
        return service

    def _add_foreign_jobs(self, service: HostileService) -> None:
        """Jobs of the same sources that this run did not submit, and must not take for its own."""
        for kind, names in self.sources.by_kind.items():
            given = [self.sources.identity(name) for name in names][: self.job_size]
            age = self.dice.choice([-5.0, 5.0, 3000.0])
            service.add_foreign(kind, given, {"face": {}}, age=age)
            service.add_foreign(kind, given, {"language": {}}, age=3000)
            service.add_foreign(kind, given[::-1], {"language": {}}, age=3000)

    def _count(self, ending: Ending) -> None:
        """Count a start that did not come to its end."""
        self.tally.codes[ending.code] += 1
        if ending.code in {-signal.SIGKILL, HANGS}:
            self.tally.kills += 1
        elif ending.code in {INTERRUPTED, -signal.SIGINT}:
            self.tally.interrupts += 1

    def _size(self) -> int:
        results = self.out / "predictions.jsonl"
        return results.stat().st_size if results.exists() else -1

    def _random_kill(self) -> dict[str, Any]:
        number = int(signal.SIGKILL if self.dice.random() < 0.7 else signal.SIGINT)
        if self.dice.random() < 0.3:
            kill = {"after": self.dice.uniform(0.02, 2.0), "signal": number}
            if self.dice.random() < 0.3:
                kill["again"] = self.dice.uniform(0.0, 0.1)  # somebody is impatient
            return kill
        # As likely among the first lines as among the last ones.
        return {"line": round(LINES ** self.dice.uniform(0.5, 1.0)), "signal": number}

    async def _start(self, service: HostileService, kill: dict[str, Any]) -> Ending:
        self.tally.starts += 1
        service.client_started()
        clock = self.dice.choice([0.0, -600.0, 600.0]) if self.is_hostile else 0.0
        ending = await self.started.run(
            **(self._command(service) if self.way == "command" else self._script(service)),
            log=os.fspath(self.folder / "log"),
            watch=os.fspath(self.out),
            patch={"humeai_async.bulk.patience.SEARCH_PAUSES": [0.02, 0.1, 0.3]},
            clock=clock,
            **kill,
        )
        # Interrupted twice within milliseconds, asyncio may lose what a task waits for, and a
        # script hangs: it was killed then, as a third Ctrl-C would have done. Commands do not.
        may_hang = "again" in kill and self.way != "command"
        if ending.code == FOREIGN_ERROR or (ending.code == HANGS and not may_hang):
            self.faults[f"exit code {ending.code}"] = (self.folder / "log").read_text()[-6000:]
        return ending

    def _command(self, service: HostileService) -> dict[str, Any]:
        listed = self.folder / "listed.txt"
        listed.write_text("\n".join(self.sources.names))
        formats = [word for name in self.formats for word in ("--format", name)]
        main = ["predict", "--from", os.fspath(listed), "--out", os.fspath(self.out), *formats]
        main += ["--models", "language", "--job-size", str(self.job_size), "--jobs", "3"]
        main += ["--search-patience", str(PATIENCE)]
        settings = service.settings
        env = {"HUME_BASE_URL": settings["base_url"]}
        for variable, name in (("HUME_API_KEY", "api_key"), ("LOWCODEAPI_API_TOKEN", "api_token")):
            if name in settings:
                env[variable] = settings[name]
        return {"main": main, "env": env}

    def _script(self, service: HostileService) -> dict[str, Any]:
        sources = [[kind, name] for kind, names in self.sources.by_kind.items() for name in names]
        script: dict[str, Any] = {
            "folder": os.fspath(self.out),
            "sources": sources,
            "client": settings_as_json(service.settings),
            "read": READ_TIMEOUT,
            "models": {"language": {}},
            "job_size": self.job_size,
            "jobs_at_once": 3,
            "search_patience": PATIENCE,
        }
        more = {"own_lines": True} if self.way == "iterated" else {"formats": self.formats}
        return {"script": script | more}

    def _names_of_open_works(self) -> set[str]:
        """Return the names of those pieces of work that open sources are in."""
        ledger = self.out / "ledger.db"
        with closing(sqlite3.connect(ledger)) as connection:
            rows = connection.execute(
                "SELECT DISTINCT work_id FROM sources JOIN works ON works.number = work "
                "WHERE sources.state IN (?, ?) AND work_id IS NOT NULL",
                (State.PLANNED, State.SUBMITTED),
            )
            return {name for (name,) in rows}

    def check(self) -> None:
        """Write down what is wrong with what the run came to."""
        found = self.faults | self.sources.find_faults(
            self.out,
            self.carried_out,
            is_exact=self.way != "iterated",
            may_doubt=self.newer > 0,
        )
        # Where the service does not list all jobs of one millisecond, doubts stay, and are told.
        doubts = status_of(self.out).get("open", 0) if self.newer else 0
        self.tally.doubts += doubts
        if doubts:
            found.pop("did not end", None)
            # A doubt is one about a submission: what the service has named, and by its own name,
            # is none.
            if named := self._names_of_open_works() & self.own_names:
                found["open without a doubt"] = named
        for stopped in sorted(self.folder.glob("stopped-*")):
            if fault := total_fault(stopped):
                found[stopped.name] = fault
        if "parquet" in self.formats and "did not end" not in found:
            column = set(parquet_column(self.out / "predictions.parquet", "source"))
            lost = sorted(set(self.sources.names) - column)
            if len(lost) != doubts:
                found["lost in Parquet"] = lost
        if found:
            told = "; ".join(f"{name}: {str(what)[:4000]}" for name, what in found.items())
            self.tally.faults.append(f"seed {self.seed} ({self.way}, {self.gateway}): {told}")


async def test_a_run_that_makes_no_progress_says_what_it_waited_for(tmp_path: Path) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    out, log = tmp_path / "out", tmp_path / "log"
    async with HostileService() as service, starter() as started:
        service.posts.append("hang-before")
        script: dict[str, Any] = {
            "folder": os.fspath(out),
            "sources": [["urls", name] for name in sources.names],
            "client": settings_as_json(service.settings),
            "read": 300.0,
        }
        ending = await started.run(
            script=script, log=os.fspath(log), watch=os.fspath(out), stalls_after=1.0
        )
    said = log.read_text()
    assert HANGS == ending.code
    assert "no progress for 1 s" in said
    assert "Submissions._send_once" in said
