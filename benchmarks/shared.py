"""Many processes on one quota: each promise beside its number, and the machine's load.

    python -m benchmarks.shared [--full] [--seconds 6] [--processes 8] [--only learned]

starts a redis-server on a free port, and processes of callers each: on a rate that is declared, and
on quotas of three shapes that nobody declares and a service enforces. Beside them in the same run:
a limiter in each process that knows of no other, which is what happens without a shared quota, and
the library `limits` asked through the same server until it lets a call go. Some four minutes;
`--full` lets learned quotas run for 24 s, with three kinds of hint, and takes twelve. Pace and
milliseconds say little on a busy machine: look at the load. Needs the extras `redis` and `bench`
and the program `redis-server`.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import signal
import tempfile
import time
from collections.abc import Callable
from typing import Any, get_args

from attrs import evolve

from benchmarks.fleet import WARM_UP, Calls, Job, Redis, begin, ended, enforcing, show
from humeai_async.testing import Hint, Quota, Shape

WINDOW = 2.0
"""Seconds of the windows of quotas that have one."""


def steady(redis: Redis, rate: float, most_trips: float, processes: int, seconds: float) -> None:
    """All processes greedy, at one rate."""
    redis.empty()
    jobs = [Job(url=redis.url, rate=rate, seconds=seconds)] * processes
    found = ended(begin(jobs), rate)
    name = f"{processes} sharing {rate:,.0f}/s"
    show(name, "pace", f"{found.pace(WARM_UP, seconds):.1%}", "at least 98 %")
    show(name, "most in any second", f"{found.most():.1%}", "at most 102 %")
    show(name, "Jain index", f"{found.jain():.3f}")
    trips = redis.trips() / max(1, len(found.times))
    show(name, "script calls a call", f"{trips:.3f}", f"at most {most_trips:g}")


def beside(redis: Redis, processes: int, seconds: float) -> None:
    """The same without a shared quota, and by a library."""
    redis.empty()
    for way, name in (("alone", "8 limiters, each on its own"), ("limits", "the library limits")):
        if way == "limits" and importlib.util.find_spec("limits") is None:
            show(name, "not installed", "-")
            continue
        jobs = [Job(url=redis.url, rate=200.0, seconds=seconds, way=way)] * processes
        found = ended(begin(jobs), 200.0)
        show(name, "pace", f"{found.pace(WARM_UP, seconds):.1%}")
        show(name, "most in any second", f"{found.most():.1%}")
        show(name, "Jain index", f"{found.jain():.3f}")
        if way == "limits":
            trips = redis.trips() / max(1, len(found.times))
            show(name, "server calls a call", f"{trips:.1f}")


def learned(redis: Redis, processes: int, seconds: float, *, full: bool) -> None:
    """A quota that nobody declares: learned together, by each alone, or known to a library."""
    rate, steady_from = 200.0, seconds / 2
    hints: tuple[Hint, ...] = ("retry-after", "ratelimit", "silent") if full else ("retry-after",)
    shapes: tuple[Shape, ...] = get_args(Shape)
    for shape, hint in itertools.product(shapes, hints):
        for way in ("shared", "alone", "limits"):
            if way == "limits" and (hint != hints[0] or importlib.util.find_spec("limits") is None):
                continue
            redis.empty()
            per = 1.0 if shape == "token" else WINDOW
            with enforcing(Quota(rate * per, per, shape=shape, hints=hint)) as port:
                job = Job(url=redis.url, rate=rate, seconds=seconds, way=way, service=port)
                found = ended(begin([job] * processes), rate)
            _show_learned(f"{shape}, {hint}: {_WAYS[way]}", found, steady_from, seconds, shape, way)


_WAYS = {"shared": "learned by all", "alone": "each alone", "limits": "limits, declared"}


def _show_learned(
    name: str, found: Calls, steady_from: float, end: float, shape: Shape, way: str
) -> None:
    is_fixed = shape == "fixed"
    most, least = ("at most 2 %", "at least 95 %") if is_fixed else ("at most 1 %", "at least 97 %")
    for what, figure, promise in (
        ("429s, all", f"{found.refused():.1%}", most),
        ("429s, steady", f"{found.refused(steady_from):.1%}", "at most 1 %"),
        ("pace, steady", f"{found.pace(steady_from, end):.1%}", least),
        ("Jain index, steady", f"{found.jain(steady_from):.3f}", "at least 0.98"),
    ):
        show(name, what, figure, promise if way == "shared" else "")


def unequal(redis: Redis, seconds: float) -> None:
    """Four small processes and four greedy ones: each gets what is fair."""
    redis.empty()
    rate, base = 2000.0, Job(url=redis.url, rate=2000.0, seconds=seconds)
    small = [
        evolve(base, callers=1, pause=1 / (rate * share)) for share in (0.01, 0.02, 0.04, 0.08)
    ]
    greedy = [evolve(base, callers=callers) for callers in (4, 16, 64, 256)]
    found = ended(begin([*small, *greedy]), rate)
    counts = [sum(at >= WARM_UP for at, _ in one) for one in found.found]
    fair = sum(counts[4:]) / 4
    shares = [count / fair for count in counts[4:]]
    show(
        "unequal demand, 2,000/s",
        "got against fair, greedy",
        f"{min(shares):.2f}-{max(shares):.2f}",
        "0.90-1.10",
    )
    show("unequal demand, 2,000/s", "pace", f"{found.pace(WARM_UP, seconds):.1%}", "at least 98 %")


def urgent(redis: Redis, seconds: float) -> None:
    """A small interactive caller beside four bulk processes."""
    redis.empty()
    base = Job(url=redis.url, rate=200.0, seconds=seconds)
    caller = evolve(base, callers=1, pause=0.1, is_urgent=True)
    found = ended(begin([*[base] * 4, caller]), 200.0)
    waits = found.waits(4) or [0.0]
    for share, promise in ((0.5, "at most 2 ms"), (0.99, "at most 40 ms")):
        wait = waits[min(len(waits) - 1, int(share * len(waits)))]
        show(
            "interactive beside bulk", f"wait, p{share * 100:.0f}", f"{wait * 1e3:.1f} ms", promise
        )


def killed(redis: Redis) -> None:
    """Three of eight processes are killed."""
    redis.empty()
    processes = begin([Job(url=redis.url, rate=200.0, seconds=6.0)] * 8)
    time.sleep(3.0)
    for one in processes[:3]:
        one.kill()
    found = ended(processes, 200.0 * 1)
    # What the killed ones sent until then nobody knows.
    show(
        "3 of 8 killed at 3 s",
        "pace from 0.5 s later on",
        f"{found.pace(3.7, 6.0):.1%}",
        "at least 94 %",
    )
    show(
        "3 of 8 killed at 3 s",
        "most in a second after it",
        f"{found.most(3.0):.1%}",
        "at most 102 %",
    )


def away(redis: Redis, *, is_frozen: bool) -> None:
    """The server is gone for ten seconds."""
    redis.empty()
    processes = begin([Job(url=redis.url, rate=200.0, seconds=17.0)] * 8)
    time.sleep(3.0)
    redis.signal(signal.SIGSTOP if is_frozen else signal.SIGKILL)
    time.sleep(10.0)
    if is_frozen:
        redis.signal(signal.SIGCONT)
    else:
        redis.kill()
        redis.start()
    found = ended(processes, 200.0)
    name = f"Redis {'frozen' if is_frozen else 'killed'}, 3 s to 13 s"
    show(name, "pace meanwhile", f"{found.pace(3.0, 13.0):.1%}", "at least 97 %")
    show(name, "longest gap", f"{found.gap(2.5, 13.0):.2f} s", "at most 0.3 s")
    show(name, "most in any second, meanwhile", f"{found.most(3.0, 13.0):.1%}", "at most 105 %")
    show(name, "most in any second, after it", f"{found.most(13.0):.1%}", "at most 102 %")


def main(arguments: Any) -> None:
    processes, seconds, full = arguments.processes, arguments.seconds, arguments.full
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(folder)
        cases: dict[str, Callable[[], None]] = {
            "200": lambda: steady(redis, 200.0, 0.6, processes, seconds),
            "2,000": lambda: steady(redis, 2000.0, 0.1, processes, seconds),
            "20,000": lambda: steady(redis, 20000.0, 0.01, processes, seconds),
            "beside": lambda: beside(redis, processes, seconds),
            "learned": lambda: learned(redis, processes, 24.0 if full else 12.0, full=full),
            "unequal": lambda: unequal(redis, max(seconds, 10.0)),
            "urgent": lambda: urgent(redis, seconds),
            "killed": lambda: killed(redis),
            "frozen": lambda: away(redis, is_frozen=True),
            "away": lambda: away(redis, is_frozen=False),
        }
        try:
            for name, case in cases.items():
                if not arguments.only or name in arguments.only:
                    case()
        finally:
            redis.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="learned quotas for longer, all hints")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=[])
    main(parser.parse_args())
