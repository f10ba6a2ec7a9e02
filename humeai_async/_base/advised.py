"""Objects that say what to write in place of a name that they do not have.

It knows no names: those are in `official_names`, which is imported only when one is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["Advised"]


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
