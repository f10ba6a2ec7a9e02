"""Objects that say what to write in place of what they do not have or cannot do.

It knows no names: those are in `official_names`, which is imported only when one is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

__all__ = ["Advised", "AsyncOnly"]


class Advised:
    """Adds advice to the `AttributeError` of a name of the official SDK, or of a misspelt one."""

    __slots__ = ()

    if not TYPE_CHECKING:  # for a type checker, a name that is not there is a mistake

        def __getattr__(self, name: str) -> object:
            if name.startswith("_") or hasattr(type(self), name):
                # Protocols look for names with underscores; of the others, a slot is empty or a
                # property failed with an AttributeError of its own.
                return object.__getattribute__(self, name)
            from humeai_async._base.official_names import advise

            raise AttributeError(advise(type(self), name), name=name, obj=self)


class AsyncOnly(Advised):
    """Refuses `for`, `list()`, `with` and `await` with a sentence on what to write instead.

    Type checkers do not see the methods, so that an editor shows the mistake before the program
    runs.
    """

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
