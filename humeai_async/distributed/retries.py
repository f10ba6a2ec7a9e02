"""Sources that failed, planned once more.

They become partitions of their own, each line with the number of the partition in which its
source failed; that partition's report forgets them then, and its results stay as they are. The
new partition is written first: a crash in between is mended by the next call.

Results that are paid for and could not be read are in the ledger of their partition. All those of
one ledger make one partition, which goes on with that ledger and submits nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import evolve

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.work import REFUSED
from humeai_async.distributed.plan import (
    MOST_IN_PARTITION,
    PARTITION_SIZE,
    SOURCES,
    PlannedSource,
    file_name,
    line_of,
    planned,
    read_settings,
    read_sources,
)
from humeai_async.distributed.results import numbers_done, read_facts, write_facts
from humeai_async.distributed.store import IntoFolder, Store, open_store
from humeai_async.http.arguments import check_number

_Name: TypeAlias = tuple[str | None, str]
"""Kind and text of a source: a text may look like a URL that is a source of its own."""


async def retry_failed(into: IntoFolder, *, partition_size: int = PARTITION_SIZE) -> int:
    """Plan the sources once more that failed, as partitions of their own.

    Sources that cannot be sent at all are left out. What arrived stays as it is and is not paid
    for again, nor is a result that could not be read: it is read or fetched again. Costs no
    request; working on the new partitions does.

    Args:
        into: The run's folder.
        partition_size: Sources in a partition, 1 to 100,000.

    Returns:
        How many sources were planned.

    Raises:
        LedgerError: No run is planned there, or its files cannot be read.
        SaveError: The folder cannot be read or written.
    """
    check_number("partition_size", partition_size, least=1, most=MOST_IN_PARTITION)
    return await in_thread(_plan_failed, into, partition_size)


def _plan_failed(into: IntoFolder, size: int) -> int:
    store = open_store(into)
    read_settings(store)
    count = 0
    while True:
        # Before the failures are read: whoever plans some of them meanwhile takes this number.
        number = max(planned(store), default=-1) + 1
        if not (failed := _failed(store)):
            return count
        chunk = _next_partition(failed, size)
        content = b"\n".join(map(line_of, chunk))
        if store.put_new(f"{SOURCES}/{file_name(number)}", content):
            count += len(chunk)
        _forget_planned(store)  # those of somebody else too, who was quicker


def _next_partition(failed: Sequence[PlannedSource], size: int) -> Sequence[PlannedSource]:
    """Return what goes into one partition: all whose results are in one ledger, or so many."""
    paid_in = failed[0].paid_in
    together = [one for one in failed if one.paid_in == paid_in]
    return together[:size] if paid_in is None else together


def _failed(store: Store) -> list[PlannedSource]:
    """Return the sources that failed, each with the partition in which it did."""
    _forget_planned(store)
    found: list[PlannedSource] = []
    for number in sorted(numbers_done(store)):
        failures = _failures(read_facts(store, number))
        if failures:
            failed = set(map(_name_of, failures))
            unreadable = {_name_of(one) for one in failures if one.get("unreadable")}
            for one in read_sources(store, number):
                names = _names_of(one)
                if one.kind == REFUSED or failed.isdisjoint(names):
                    continue
                ledger = number if one.paid_in is None else one.paid_in
                paid_in = None if unreadable.isdisjoint(names) else ledger
                found.append(evolve(one, failed_in=number, paid_in=paid_in))
    return found


def _forget_planned(store: Store) -> None:
    """Take sources out of the reports of partitions in which they failed, once they are planned."""
    done = numbers_done(store)
    again: dict[int, set[_Name]] = {}
    for number in planned(store):
        for one in read_sources(store, number):
            if one.failed_in is not None:
                again.setdefault(one.failed_in, set()).update(_names_of(one))
    for number in sorted(done & again.keys()):
        report = read_facts(store, number)
        failures = _failures(report)
        left = [one for one in failures if _name_of(one) not in again[number]]
        if len(left) < len(failures):
            report["sources"] -= len(failures) - len(left)
            report |= {
                "failed": len(left),
                "unreadable": sum(bool(one.get("unreadable")) for one in left),
                "failures": left,
                "reasons": dict(Counter(one["reason"] for one in left).most_common()),
            }
            write_facts(store, number, report)


def _name_of(failure: Mapping[str, Any]) -> _Name:
    return failure.get("kind"), failure["source"]


def _names_of(source: PlannedSource) -> tuple[_Name, _Name]:
    """Return what a source may be called in a report; older ones do not say its kind."""
    return (source.kind, source.text), (None, source.text)


def _failures(report: dict[str, Any]) -> Sequence[dict[str, Any]]:
    failures: Sequence[dict[str, Any]] = report.get("failures", ())
    return failures
