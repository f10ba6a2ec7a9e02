"""Unions that are told apart by a tag, as data.

A `Tagged` says which class stands for which value of the tag and which one takes values that
nobody knew when this was written. It knows nothing of JSON or converters. Modules of types
make constants of it; `codec.py` teaches them to the converter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Tagged:
    """One union of classes, told apart by the value of one field."""

    base: type[Any]
    """Class that stands for the union in annotations; all members are subclasses of it."""
    tag: str
    """Name of the field that tells the members apart."""
    members: Mapping[str, type[Any]]
    """Member for each known value of the tag."""
    fallback: type[Any]
    """Class for all other values; its field `data` takes the whole raw object."""
