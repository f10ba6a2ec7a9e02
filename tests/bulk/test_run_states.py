"""Every state of a run, left by every way: interrupted anywhere, whatever the service does.

A walk through (kind of source) x (what becomes of a submission) x (where the run is interrupted
before it is started again), and random walks with more of each. The service is
`hostile_service.HostileService`. What holds in the end, always: each source was carried out
once, each has its own predictions, none is lost, and files and `status` tell the same numbers.
`HUMEAI_ASYNC_SOAK=1` plays the whole walk; otherwise it is a share of it, twice as
large with `HUMEAI_ASYNC_DEEP=1`.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from fuzzing.budget import DEEP, SOAK
from hostile_gateway import DIALECTS, Dialect
from hostile_results import SHAPES, Kind
from hostile_service import FETCHES, LISTS, POSTS, HostileService
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from run_checks import RunSources, lines_of, total_fault

from humeai_async import HumeAI, HumeError, Limiter, Polling, Retry, Timeout

pytestmark = [pytest.mark.slow, pytest.mark.soak]

KINDS: tuple[Kind, ...] = ("urls", "text", "files")
TRANSITIONS: tuple[tuple[str, int], ...] = (
    ("never", 0), ("arrived", 1), ("arrived", 2), ("carried-out", 1), ("answered", 1),
    ("list", 1), ("list", 2), ("list", 3), ("job", 1), ("predictions", 1), ("predictions", 2),
    ("outcome", 1), ("outcome", 3),
)  # fmt: skip
"""Where a run is interrupted: at the n-th of these events."""
READ_TIMEOUT = 0.25
LATE = 0.35
"""Seconds until a submission is carried out that its client gave up."""
PATIENCE = 1.5
"""Seconds for which the run looks for a submission before it sends another: more than that."""
HELD = PATIENCE / 3
"""Seconds for which a submission waits for the next start to be carried out."""
STARTS = 6
AT_ONCE = 16
ORIGINS: tuple[Dialect | None, ...] = (None, *DIALECTS)
SHARE = 1 if SOAK else 25 if DEEP else 50
"""Of how many scenes of the walk one is played."""


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.bulk.patience.SEARCH_PAUSES", (0.02, 0.1))


@define(eq=False)
class Scene:
    """One run from its first start to its end."""

    kind: Kind
    posts: list[str]
    interrupts: list[tuple[str, int]]
    lists: list[str] = field(factory=list[str])
    fetches: list[str] = field(factory=list[str])
    shapes: frozenset[str] = frozenset()
    clock: float = 0.0
    gateway: Dialect | None = None
    folder: Path = field(default=Path(), init=False)
    sources: RunSources = field(default=RunSources({}), init=False)
    carried_out: Counter[str] = field(factory=Counter[str], init=False)
    faults: dict[str, Any] = field(factory=dict[str, Any], init=False)

    def __str__(self) -> str:
        told = f"Scene({self.kind!r}, {self.posts}, {self.interrupts}, lists={self.lists}"
        told += f", fetches={self.fetches}, shapes={set(self.shapes)}, clock={self.clock}"
        return f"{told}, gateway={self.gateway})"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    async def play(self, folder: Path) -> None:
        """Run it, with all its interruptions, to its end."""
        self.folder = folder
        folder.mkdir(parents=True)
        self.sources = RunSources.make(folder, [self.kind], 4)
        service = HostileService(
            late=LATE, held=HELD, clock=self.clock, shapes=self.shapes, gateway=self.gateway
        )
        service.posts.extend(self.posts)
        service.lists.extend(self.lists)
        service.fetches.extend(self.fetches)
        async with service:
            for number, interrupt in enumerate(self.interrupts):
                await self._start(service, interrupt)
                if self.out.exists():
                    shutil.copytree(self.out, folder / f"stopped-{number}")
            for _ in range(STARTS):
                if await self._start(service, ("never", 0)):
                    break
            else:
                self.faults["did not end"] = True
            self.carried_out = service.carried_out

    async def _start(self, service: HostileService, interrupt: tuple[str, int]) -> bool:
        """Start the run, interrupt it at a transition, and say whether it came to its end."""
        counts: Counter[str] = Counter()

        def count(event: str) -> None:
            counts[event] += 1
            if (event, counts[event]) == interrupt:
                run.cancel()

        service.on_event = count
        service.client_started()
        run = asyncio.ensure_future(self._predict(service, lambda _: count("outcome")))
        await asyncio.wait([run])
        service.on_event = lambda _: None
        problem = None if run.cancelled() else run.exception()
        if problem is not None and not isinstance(problem, HumeError):
            self.faults["raised"] = repr(problem)
        return not run.cancelled() and len(lines_of(self.out)) == len(self.sources.names)

    async def _predict(self, service: HostileService, on_outcome: Callable[[object], None]) -> None:
        async with HumeAI(
            **service.settings,
            polling=Polling(min_interval=0.01, max_interval=0.05),
            timeout=Timeout(read=READ_TIMEOUT, total=30),
            retry=Retry(initial_delay=0.01),
            limiter=Limiter(rate=1000),
        ) as hume:
            await hume.batch.predict_into(
                self.out,
                self.sources.given,
                models={"language": {}},
                job_size=2,
                search_patience=PATIENCE,
                on_outcome=on_outcome,
            )

    def find_faults(self) -> dict[str, Any]:
        """Say what is wrong with the scene, now that it was played."""
        found = self.faults | self.sources.find_faults(self.out, self.carried_out)
        for stopped in sorted(self.folder.glob("stopped-*")):
            if fault := total_fault(stopped):
                found[stopped.name] = fault
        return found


def play_all(scenes: Iterable[Scene], folder: Path) -> str:
    """Play scenes, some at once, and return everything that is wrong with them."""
    played = list(scenes)

    async def play_each() -> None:
        left = enumerate(played)

        async def play_some() -> None:
            for number, scene in left:
                await scene.play(folder / str(number))

        await asyncio.gather(*(play_some() for _ in range(AT_ONCE)))

    asyncio.run(play_each())
    faults = [f"{scene}: {found}" for scene in played if (found := scene.find_faults())]
    return "\n".join([f"{len(faults)} of {len(played)} scenes", *faults] if faults else [])


def share_of(scenes: Iterable[Scene]) -> list[Scene]:
    """Take every n-th scene, others for each kind of source."""
    return [
        scene
        for number, scene in enumerate(scenes)
        if (number + KINDS.index(scene.kind)) % SHARE == 0
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_at_every_transition_each_source_is_carried_out_once(
    kind: Kind, tmp_path: Path
) -> None:
    walk = itertools.product(("ok", *POSTS), TRANSITIONS, ORIGINS)
    scenes = share_of(
        Scene(kind, [post], [interrupt], gateway=gateway) for post, interrupt, gateway in walk
    )
    assert "" == play_all(scenes, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_that_fails_leaves_sources_open_and_buys_nothing_again(
    kind: Kind, tmp_path: Path
) -> None:
    # The first list is the one at the start of a run.
    walk = itertools.product(
        LISTS, ("reset-after", "reset-before", "late"), (1, 3), (0, 1), ORIGINS
    )
    scenes = share_of(
        Scene(kind, [post], [], lists=["ok"] * first + [bad] * times, gateway=gateway)
        for bad, post, times, first, gateway in walk
    )
    assert "" == play_all(scenes, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_renamed_and_reordered_results_find_their_sources(kind: Kind, tmp_path: Path) -> None:
    shapes = [frozenset(pair) for pair in itertools.combinations(SHAPES, 2)]
    walk = itertools.product(shapes, ("ok", "reset-after"), (-600.0, 600.0))
    # One of three of each pair's four, others for each kind of source.
    some = itertools.islice(walk, KINDS.index(kind), None, 1 if SOAK else 3)
    origins = itertools.cycle(ORIGINS)
    scenes = [
        Scene(kind, [post], [], shapes=shape, clock=clock, gateway=next(origins))
        for shape, post, clock in some
    ]
    assert "" == play_all(scenes, tmp_path)


def test_whatever_comes_together_each_source_is_carried_out_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scene = st.builds(
        Scene,
        st.sampled_from(KINDS),
        st.lists(st.sampled_from(("ok", *POSTS)), max_size=5),
        st.lists(st.sampled_from(TRANSITIONS), max_size=4),
        lists=st.lists(st.sampled_from(("ok", *LISTS)), max_size=4),
        fetches=st.lists(st.sampled_from(("ok", *FETCHES)), max_size=3),
        shapes=st.frozensets(st.sampled_from(SHAPES), max_size=3),
        clock=st.sampled_from((0.0, -600.0, 600.0)),
        gateway=st.sampled_from(ORIGINS),
    )

    # Many scenes at once, since they mostly wait; one that fails is told with all it is made of.
    @settings(
        max_examples=200 if SOAK else 1,
        derandomize=not SOAK,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.lists(scene, min_size=2 * AT_ONCE, max_size=2 * AT_ONCE))
    def play_them(scenes: list[Scene]) -> None:
        assert "" == play_all(scenes, tmp_path_factory.mktemp("scenes"))

    play_them()
