"""Small tables of HTML, for notebooks: what `_repr_html_` of a class returns.

All that is shown goes through `table`: it escapes, hides the queries of URLs, and keeps to a size
by leaving out rows and saying how many. It knows no class of ours; a class with a table imports
this module inside of its method, so that nobody else pays for it.
"""

from __future__ import annotations

import datetime as dt
import enum
import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import attrs

from humeai_async._base.urls import repr_without_query, without_queries

__all__ = ["MOST_BYTES", "MOST_ROWS", "Markup", "bar", "bars", "cut", "flatten", "table"]

MOST_BYTES: Final = 20_000
"""Bytes of what one `_repr_html_` returns."""
MOST_ROWS: Final = 12
"""Rows that are read for a table of things that can be many."""
_LONGEST_CELL: Final = 200
_LONGEST_LINE: Final = 300
_LONGEST_NAME: Final = 40
_REST: Final = 200
"""Bytes that the line on what was left out takes at most."""
_BAR = "rgba(70,130,220,.35)"
_CELL = "text-align:left;vertical-align:top;min-width:5em;max-width:24em;overflow-wrap:anywhere"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def cut(text: str, most: int = _LONGEST_CELL) -> str:
    """Return a text without queries of URLs, cut to a length in characters; not yet escaped."""
    shown = without_queries(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _escape(text: str, most: int) -> str:
    """Return a text as HTML; halves of surrogate pairs, which no page may hold, as `?`."""
    return html.escape(cut(text, most).encode("utf-8", "replace").decode())


def _cell(value: object) -> str:
    """Return a value as HTML; nothing for what is not there."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or value != value:  # noqa: PLR0124 - NaN is no value
        text = ""
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:.4g}"
    elif isinstance(value, dt.datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S}"
    else:
        text = str(value)
    return _escape(text, _LONGEST_CELL)


def bar(name: str, score: float) -> Markup:
    """Draw a score as a bar with its name and number.

    Args:
        name: What was measured.
        score: The length of the bar, from 0 to 1; what lies outside is drawn as the nearer end.
    """
    share = 0.0 if math.isnan(score) else min(max(score, 0.0), 1.0)
    number = "no number" if math.isnan(score) else f"{score:.3f}"
    return Markup(
        f'<div style="width:{share:.0%};background:{_BAR};white-space:nowrap">'
        f"{_escape(name, _LONGEST_NAME)} {number}</div>"
    )


def bars(scores: Iterable[tuple[str, float]]) -> Markup:
    """Draw some scores below each other, in a box that is as wide for each of them."""
    return Markup(f'<div style="width:15em">{"".join(bar(*one) for one in scores)}</div>')


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    total: int,
    notes: Iterable[str] = (),
    most: int = MOST_BYTES,
) -> str:
    """Make a table with a title above it.

    Args:
        title: What it shows.
        columns: Names of the columns; none makes a table without a head.
        rows: The values of each row. No more of them are taken than have room.
        total: Number of rows there are, shown or not.
        notes: Sentences to stand below it.
        most: Bytes that it may take.
    """
    head = "".join(f'<th style="{_CELL}">{_escape(name, _LONGEST_NAME)}</th>' for name in columns)
    start = (
        f'<div class="tex2jax_ignore mathjax_ignore"><b>{_escape(title, _LONGEST_LINE)}</b><table>'
        + (f"<thead><tr>{head}</tr></thead>" if head else "")
        + "<tbody>"
    )
    ends = "".join(f"<div>{_escape(note, _LONGEST_LINE)}</div>" for note in notes) + "</div>"
    shown: list[str] = []
    room = most - _size(start) - _size(ends) - _REST
    for row in rows:
        line = "".join(f'<td style="{_CELL}">{_cell(value)}</td>' for value in row)
        line = f"<tr>{line}</tr>"
        room -= _size(line)
        if room < 0:
            break
        shown.append(line)
    left = total - len(shown)
    rest = f"<div>… and {left:,} more</div>" if left > 0 else ""
    return f"{start}{''.join(shown)}</tbody></table>{rest}{ends}"


def _size(text: str) -> int:
    return len(text.encode())


def flatten(record: object, prefix: str = "", depth: int = 2) -> Iterator[tuple[str, object]]:
    """Give name and value of each field of a record that has a value.

    A record in it gives its own fields, a list or a mapping how many it holds. What its repr
    leaves out or hides is left out or hidden here.

    Args:
        record: An instance of an attrs class; of anything else its repr is given.
        prefix: What to put before the names.
        depth: Records inside of records that are looked into.
    """
    kind = cast("type[Any]", type(record))
    if not attrs.has(kind):
        yield f"{prefix}item", record if isinstance(record, str) else repr_without_query(record)
        return
    for field in attrs.fields(kind):
        value = getattr(record, field.name)
        if field.repr is False or value is None:
            continue
        if _is_record(value):
            if depth:
                yield from flatten(value, f"{prefix}{field.name}.", depth - 1)
        elif isinstance(value, (list, tuple, Mapping)):
            if value:
                yield prefix + field.name, f"{len(value):,} in all"  # pyright: ignore[reportUnknownArgumentType]  # of anything
        elif isinstance(value, (str, int, float, dt.datetime)):
            name, shown = _shown(record, field, value)
            yield prefix + name, shown


def _is_record(value: Any) -> bool:
    return attrs.has(value.__class__)


def _shown(record: object, field: Any, value: object) -> tuple[str, object]:
    """Return what a field is called and shown as: its time, if it has one, its repr if its own."""
    show: Any = field.repr
    if show is not True:
        return field.name, str(show(value)).strip("'\"")
    time = f"{field.name.removesuffix('_timestamp_ms').removesuffix('_on')}_at"
    found = getattr(record, time, None) if time != f"{field.name}_at" else None
    return (time, found) if isinstance(found, dt.datetime) else (field.name, value)
