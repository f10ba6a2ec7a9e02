"""The budget of a run over many workers: what each partition may be billed.

    into/_run/budget/00017      what partitions may be billed, after 17 earlier grants

A grant is a new file with the next number, which one worker alone can put in place, so no two are
given the same rest. A partition keeps its grant when its worker dies, for whoever goes on with it;
done, it counts with what it was billed. So the run is billed no more than its budget. Where a file
system has no hard links, two workers that ask in the same instant may be given the same rest.
"""

from __future__ import annotations

import math
from typing import Any

from humeai_async.distributed.plan import file_name
from humeai_async.distributed.results import numbers_done, read_report
from humeai_async.distributed.store import Store
from humeai_async.errors import DecodeError, LedgerError
from humeai_async.http import codec

_GRANTS = "_run/budget"


def grant(store: Store, number: int, budget: float, spent: float, wanted: float) -> float:
    """Set aside what a partition may be billed over all its starts; returns it.

    Args:
        store: The run's folder.
        number: Number of the partition.
        budget: What the run may be billed over all partitions and starts.
        spent: What the partition was billed for so far.
        wanted: What it would be billed for with the rest of its sources.

    Raises:
        LedgerError: The grants of others cannot be read.
        SaveError: The folder cannot be written to.
    """
    while True:
        last = max((int(name) for name in store.names(_GRANTS) if name.isdecimal()), default=-1)
        granted = {} if last < 0 else _read(store, last)
        reports = [read_report(store, one) for one in numbers_done(store)]
        done = {one.number: one.billed for one in reports if one is not None}
        granted = {one: most for one, most in granted.items() if one not in {*done, number}}
        left = budget - math.fsum([*done.values(), *granted.values()])
        granted[number] = most = max(spent, min(wanted, left))
        content = codec.encode({str(one): each for one, each in granted.items()})
        if store.put_new(f"{_GRANTS}/{file_name(last + 1)}", content):
            return most


def _read(store: Store, last: int) -> dict[int, float]:
    try:
        found: Any = codec.parse(store.read(f"{_GRANTS}/{file_name(last)}") or b"")
        return {int(number): float(most) for number, most in found.items()}
    except (DecodeError, AttributeError, TypeError, ValueError) as failure:
        problem = str(failure)
    raise LedgerError(f"what the run's partitions may be billed cannot be read: {problem}")
