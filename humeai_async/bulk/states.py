"""The states of a bulk run on disk, and every way from one to another.

A *source* is what the caller gave. A *piece of work* is what costs money: a job with up to a
hundred sources, or a request for a single one. Its plan (what is asked, which sources at which
place, when) is on disk before anything is sent, and so is each time at which it is sent. Waiting
(for the quota, for a service that cannot be reached) is between the two, so that a submission
which was never sent is known as such, however long it waited and whatever ended the run. Waiting
for one of the pool's connections comes after both: a run that is killed there is in doubt.

A piece of work:

    from       to          when                                what a restart does in `to`
    ---------  ----------  ----------------------------------  ---------------------------------
    (nothing)  PLANNED     the plan is written                 plans its sources anew, at once
    PLANNED    SENT        a request is about to be sent, so   searches for it at the service,
                           that from here on nobody knows      until `search_patience` seconds
                           whether it was carried out          after it may have been on its way
    SENT       SENT        it was surely not carried out, and  as above, from the last time on
                           is sent again
    SENT       SUBMITTED   the service has named it, in its    waits for it and fetches its
                           response or in a search             results; never sends it again
    PLANNED,   REJECTED    it was surely not carried out:      plans its sources anew, at once
    SENT                   refused, or never sent
    SUBMITTED  SENT        that name is another's: what is     as above
                           there under it was asked for by
                           another piece of work of this run
    SENT       ABANDONED   the patience is over, and the       plans its sources anew, at once;
                           service's whole list, read after    a warning is logged, and `status`
                           that, does not hold it              counts it as resubmitted

A source:

    from        to          when                                what a restart does in `to`
    ----------  ----------  ----------------------------------  --------------------------------
    (nothing)   PLANNED     its piece of work is planned        as its piece of work
    PLANNED     PLANNED     it goes into another piece of       as its piece of work
                            work, for the first was REJECTED
                            or ABANDONED
    PLANNED     SUBMITTED   its piece of work is SUBMITTED      fetches its results
    PLANNED     FAILED      the service, or the check before    passes it over; plans it anew
                            it is sent, refuses it alone        if `retry_failed` is set
    SUBMITTED   ARRIVED     the consumer has its results        passes it over
    SUBMITTED   FAILED      the service could not process it,   as above: it is paid again
                            or did not know its piece of work
                            for a minute
    SUBMITTED   UNREADABLE  its results are there and paid      passes it over; reads or fetches
                            for, but cannot be read, or not     them again if `retry_failed` is
                            told from those of others           set; never submits it
    SUBMITTED,  PLANNED     the name of its piece of work was   as its piece of work
    UNREADABLE              another's, and so are the results
    UNREADABLE  ARRIVED     they can be read by now             passes it over
    UNREADABLE  FAILED      they say that it failed             as above
    UNREADABLE  UNREADABLE  they still cannot be read           as above
    FAILED      PLANNED     `retry_failed`                      as its piece of work

Whatever else happens (a 429, an outage, a timeout, a doubt that is not resolved, a kill)
changes nothing here: the source is open, and the next start goes on with it. The ledger checks
each step against these tables, and refuses what is not in them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.IntEnum):
    """How far a source has come, as the ledger on disk has it."""

    PLANNED = 0
    """Its piece of work is about to be submitted, or was sent; nobody knows."""
    SUBMITTED = 1
    """Its piece of work is at the service."""
    ARRIVED = 2
    """The consumer has its results."""
    FAILED = 3
    """The consumer has its error; trying again means submitting again."""
    UNREADABLE = 4
    """The consumer has its error; the results are paid for and can be read or fetched again."""


class WorkState(enum.IntEnum):
    """Where a piece of work is, on disk."""

    PLANNED = 0
    """Its plan is written. It was not sent."""
    SENT = 1
    """It was sent. Nobody knows whether it was carried out."""
    SUBMITTED = 2
    """The service has named it."""
    REJECTED = 3
    """It was surely not carried out."""
    ABANDONED = 4
    """It was searched for patiently, and the service does not have it."""


TRANSITIONS: Final[Mapping[State | None, frozenset[State]]] = {
    None: frozenset({State.PLANNED}),
    State.PLANNED: frozenset({State.PLANNED, State.SUBMITTED, State.FAILED}),
    State.SUBMITTED: frozenset({State.PLANNED, State.ARRIVED, State.FAILED, State.UNREADABLE}),
    State.ARRIVED: frozenset(),
    State.FAILED: frozenset({State.PLANNED}),
    State.UNREADABLE: frozenset({State.PLANNED, State.ARRIVED, State.FAILED, State.UNREADABLE}),
}
"""Where a source may go from each state; `None` is before its first plan."""

WORK_TRANSITIONS: Final[Mapping[WorkState | None, frozenset[WorkState]]] = {
    None: frozenset({WorkState.PLANNED}),
    WorkState.PLANNED: frozenset({WorkState.SENT, WorkState.REJECTED}),
    WorkState.SENT: frozenset(
        {WorkState.SENT, WorkState.SUBMITTED, WorkState.REJECTED, WorkState.ABANDONED}
    ),
    WorkState.SUBMITTED: frozenset({WorkState.SENT}),
    WorkState.REJECTED: frozenset(),
    WorkState.ABANDONED: frozenset(),
}
"""Where a piece of work may go from each state; `None` is before its plan."""

DONE: Final = frozenset({State.ARRIVED, State.FAILED, State.UNREADABLE})
"""States in which a source has its outcome; in the others it is open."""
PAID: Final = frozenset({State.SUBMITTED, State.ARRIVED, State.UNREADABLE})
"""States in which the results of a source are paid for, or about to be."""
UNSENT: Final = frozenset({WorkState.PLANNED, WorkState.REJECTED, WorkState.ABANDONED})
"""States of an earlier start's piece of work whose open sources are planned anew."""


def count_sources(counts: Mapping[State, int]) -> dict[str, int]:
    """Return how many sources a run has, and how far they are, by the names that people see."""
    return {
        "sources": sum(counts.values()),
        "arrived": counts[State.ARRIVED],
        "failed": counts[State.FAILED] + counts[State.UNREADABLE],
        "open": counts[State.PLANNED] + counts[State.SUBMITTED],
    }
