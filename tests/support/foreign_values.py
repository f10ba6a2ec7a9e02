"""Texts of other people's classes, as lxml, bs4 and Markup have them."""

from __future__ import annotations

from typing import Any


class Url(str):
    """A text that writes itself otherwise than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"

    def __format__(self, _: Any) -> str:
        return "something else"

    def __add__(self, _: Any) -> Any:
        return "something else"

    def __radd__(self, _: Any) -> Any:
        return "something else"
