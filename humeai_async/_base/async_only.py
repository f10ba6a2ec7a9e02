"""Objects that only `async` statements can use, and that say so to all others.

It knows no object: each class gives its own sentence of advice. Type checkers do not see the
methods, so that an editor shows the mistake before the program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from humeai_async._base.advised import Advised

__all__ = ["AsyncOnly"]


class AsyncOnly(Advised):
    """Refuses `for`, `list()`, `with` and `await` with a sentence on what to write instead."""

    __slots__ = ()

    _instead: ClassVar[str] = ""
    """What to write, such as ``write `async for event in chat` ``."""

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError(f"{type(self).__name__} is asynchronous: {self._instead}")

        def __enter__(self) -> NoReturn:
            raise TypeError(f"{type(self).__name__} is asynchronous: {self._instead}")

        def __exit__(self, *_: object) -> None:
            """Never reached; `with` asks for it before `__enter__` can explain."""

        def __await__(self) -> NoReturn:
            raise TypeError(f"{type(self).__name__} cannot be awaited: {self._instead}")
