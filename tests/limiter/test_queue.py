"""The order in which waiting calls are let go."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop

from humeai_async.limiter.queue import Priority, Ticket, WaitQueue

INTERACTIVE, BULK = Priority.INTERACTIVE, Priority.BULK


class Queue:
    """WaitQueue whose calls have names."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wait_queue = WaitQueue()
        self.loop = loop
        self.names: dict[asyncio.Future[Any], str] = {}

    def add(
        self,
        name: str,
        priority: Priority = INTERACTIVE,
        *,
        head: bool = False,
        cost: float = 1.0,
        deadline: float = float("inf"),
    ) -> asyncio.Future[Any]:
        future = self.loop.create_future()
        self.names[future] = name
        self.wait_queue.add(Ticket(future, cost, deadline), priority, head=head)
        return future

    def go(self) -> str:
        ticket = self.wait_queue.first()
        assert ticket is not None
        self.wait_queue.remove_first(ticket)
        return self.names[ticket.future]

    def rest(self) -> list[str]:
        return [self.go() for _ in range(self.wait_queue.waiting)]


@pytest.fixture
def queue() -> Iterator[Queue]:
    loop = VirtualLoop()
    yield Queue(loop)
    loop.close()


def fill(queue: Queue) -> None:
    """Let one call of each kind queue up, the last to go first, each at another cost."""
    queue.add("bulk", BULK, cost=8)
    queue.add("bulk again", BULK, head=True, cost=4)
    queue.add("fresh", cost=2)
    queue.add("again", head=True, cost=1)


def test_interactive_goes_before_bulk_and_a_refused_call_before_a_fresh_one(queue: Queue) -> None:
    fill(queue)
    assert queue.rest() == ["again", "fresh", "bulk again", "bulk"]


def test_an_empty_queue_names_nobody(queue: Queue) -> None:
    assert queue.wait_queue.first() is None
    assert queue.wait_queue.waiting == 0


@pytest.mark.parametrize("priority", [INTERACTIVE, BULK])
@pytest.mark.parametrize("head", [False, True])
def test_one_waiting_call_of_any_kind_is_a_queue(
    queue: Queue, priority: Priority, *, head: bool
) -> None:
    queue.add("one", priority, head=head)
    assert queue.wait_queue.waiting == 1


def test_its_length_counts_every_kind(queue: Queue) -> None:
    fill(queue)
    assert queue.wait_queue.waiting == 4


@pytest.mark.parametrize(
    ("priority", "head", "cost"),
    [(INTERACTIVE, True, 1), (INTERACTIVE, False, 3), (BULK, True, 7), (BULK, False, 15)],
)
def test_the_cost_ahead_is_that_of_all_who_would_go_before(
    queue: Queue, priority: Priority, head: bool, cost: float
) -> None:
    fill(queue)
    assert cost == queue.wait_queue.cost_ahead(priority, head=head)


def test_the_cost_ahead_falls_as_calls_go_or_leave(queue: Queue) -> None:
    fill(queue)
    leaver = queue.add("leaver", cost=16)
    queue.add("fresh too", cost=32)
    assert queue.wait_queue.cost_ahead(INTERACTIVE, head=False) == 51
    queue.go()
    assert queue.wait_queue.cost_ahead(INTERACTIVE, head=False) == 50
    assert queue.wait_queue.discard(leaver)
    assert queue.wait_queue.cost_ahead(INTERACTIVE, head=False) == 34
    queue.rest()
    assert queue.wait_queue.cost_ahead(BULK, head=False) == 0


def test_an_empty_lane_has_no_cost_whatever_floats_left_over(queue: Queue) -> None:
    for _ in range(3):
        queue.add("tenth", cost=0.1)
    queue.rest()
    assert queue.wait_queue.cost_ahead(BULK, head=False) == 0.0


def test_while_both_wait_every_eighth_call_is_a_bulk_one(queue: Queue) -> None:
    for n in range(20):
        queue.add(f"{n}")
    for _ in range(3):
        queue.add("bulk", BULK)
    order = queue.rest()
    assert [place for place, name in enumerate(order) if name == "bulk"] == [7, 15, 22]


@pytest.mark.parametrize("head", [False, True])
def test_the_eight_are_counted_from_when_the_bulk_call_came(queue: Queue, *, head: bool) -> None:
    for n in range(30):
        queue.add(f"{n}")
    for _ in range(10):
        queue.go()
    queue.add("bulk", BULK, head=head)
    assert queue.rest().index("bulk") == 7


def test_after_its_turn_a_bulk_call_waits_for_seven_others_again(queue: Queue) -> None:
    for n in range(3):
        queue.add(f"{n}", BULK, head=True)
    queue.go()
    for _ in range(10):
        queue.add("interactive")
    assert queue.rest().index("1") == 7


def test_a_queue_of_bulk_calls_alone_goes_in_its_own_order(queue: Queue) -> None:
    for n in range(10):
        queue.add(f"{n}", BULK)
    assert queue.rest() == [f"{n}" for n in range(10)]


def test_a_call_leaves_from_wherever_it_stands_and_only_once(queue: Queue) -> None:
    fill(queue)
    leaver = queue.add("leaver", BULK)
    queue.add("last", BULK)
    assert queue.wait_queue.discard(leaver) is True
    assert queue.wait_queue.discard(leaver) is False
    assert queue.rest() == ["again", "fresh", "bulk again", "bulk", "last"]


def test_the_next_deadline_is_the_earliest(queue: Queue) -> None:
    assert queue.wait_queue.next_deadline == float("inf")
    queue.add("late", deadline=9.0)
    queue.add("early", BULK, deadline=3.0)
    queue.add("later", deadline=12.0)
    assert queue.wait_queue.next_deadline == 3.0


def test_calls_whose_time_is_up_leave_together(queue: Queue) -> None:
    for deadline in (3.0, 9.0, 5.0, 4.9):
        queue.add(f"{deadline:g}", deadline=deadline)
    queue.add("bulk", BULK, deadline=1.0)
    queue.add("patient")
    late = [queue.names[ticket.future] for ticket in queue.wait_queue.expired(5.0)]
    assert late == ["bulk", "3", "4.9", "5"]
    assert queue.wait_queue.next_deadline == 9.0
    assert queue.rest() == ["9", "patient"]


def test_when_all_have_left_no_deadline_is_next(queue: Queue) -> None:
    queue.add("one", deadline=3.0)
    assert len(list(queue.wait_queue.expired(3.0))) == 1
    assert queue.wait_queue.next_deadline == float("inf")


def test_the_deadline_of_a_call_that_went_or_left_wakes_nobody(queue: Queue) -> None:
    queue.add("goes", deadline=3.0)
    leaver = queue.add("leaves", BULK, deadline=4.0)
    queue.add("stays", BULK, deadline=5.0)
    queue.go()
    assert queue.wait_queue.next_deadline == 4.0
    queue.wait_queue.discard(leaver)
    assert queue.wait_queue.next_deadline == 5.0
    queue.go()
    assert queue.wait_queue.next_deadline == float("inf")


@pytest.mark.parametrize("until", [2.0, float("inf")])
def test_nobody_is_late_where_no_deadline_has_passed(queue: Queue, until: float) -> None:
    queue.add("patient")
    if until == 2.0:
        queue.add("one", deadline=3.0)
    assert list(queue.wait_queue.expired(until)) == []


def test_calls_of_one_deadline_leave_in_the_order_they_came(queue: Queue) -> None:
    for n in range(20):
        queue.add(f"{n}", deadline=3.0)
    late = [queue.names[ticket.future] for ticket in queue.wait_queue.expired(3.0)]
    assert late == [f"{n}" for n in range(20)]


def discard_all(queue: Queue, gone: Iterable[asyncio.Future[Any]]) -> None:
    for future in list(gone):
        queue.wait_queue.discard(future)


def test_calls_that_went_are_held_no_longer_than_the_first_deadline_lasts(queue: Queue) -> None:
    queue.add("waits", BULK, deadline=3.0)
    gone: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()
    for _ in range(6):
        for n in range(1000):
            gone.add(queue.add(f"{n}", deadline=9.0 - n / 1000))
        discard_all(queue, gone)
        queue.names.clear()
    assert len(gone) <= 110


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from([1.0, 2.0, 3.0, 5.0, float("inf")])),
            st.tuples(st.sampled_from(["go", "leave"]), st.just(0.0)),
            st.tuples(st.just("expire"), st.sampled_from([0.5, 1.0, 2.0, 4.0])),
        ),
        max_size=60,
    )
)
def test_the_next_deadline_is_that_of_whoever_waits(steps: list[tuple[str, float]]) -> None:
    loop = VirtualLoop()
    queue = Queue(loop)
    waiting: dict[asyncio.Future[Any], float] = {}
    for step, number in steps:
        if step == "add":
            priority = BULK if len(waiting) % 3 else INTERACTIVE
            waiting[queue.add("one", priority, head=len(waiting) % 2 == 0, deadline=number)] = (
                number
            )
        elif step == "expire":
            late = [one.future for one in queue.wait_queue.expired(number)]
            assert set(late) == {one for one, until in waiting.items() if until <= number}
            for future in late:
                del waiting[future]
        elif waiting:
            first = queue.wait_queue.first()
            assert first is not None
            gone = first.future if step == "go" else next(iter(waiting))
            if step == "go":
                queue.wait_queue.remove_first(first)
            else:
                assert queue.wait_queue.discard(gone)
            del waiting[gone]
        assert queue.wait_queue.next_deadline == min(waiting.values(), default=float("inf"))
        assert queue.wait_queue.waiting == len(waiting)
    loop.close()


@pytest.mark.parametrize(
    ("priority", "head", "is_urgent"),
    [(INTERACTIVE, False, True), (INTERACTIVE, True, True), (BULK, False, False)],
)
def test_an_interactive_call_makes_the_queue_urgent_whether_fresh_or_refused(
    queue: Queue, priority: Priority, head: bool, is_urgent: bool
) -> None:
    queue.add("a", priority, head=head)
    assert queue.wait_queue.is_urgent is is_urgent
