"""What a forked process must not share with its parent.

A child has copies of its parent's connections, and the parent's event loop seems to run in it.
Closing or collecting those would take the connections out of the parent's own loop, and waiting
for what happens on that loop would be for ever. So whatever belongs to an event loop is told
of each fork, in the child, and starts anew there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_watched: WeakKeyDictionary[object, Callable[[Any], None]] = WeakKeyDictionary()


def watch(thing: T, forget_parent: Callable[[T], None]) -> None:
    """Have something told of every fork from now on, in the child.

    Args:
        thing: Something that belongs to event loops.
        forget_parent: Called with it; lets go of all event loops, and closes nothing.
    """
    _watched[thing] = forget_parent


def _tell() -> None:
    for thing, forget_parent in list(_watched.items()):
        forget_parent(thing)


if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(after_in_child=_tell)
