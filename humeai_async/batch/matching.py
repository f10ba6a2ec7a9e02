"""Which of a job's results belong to which of its sources.

The order of results is not promised, and the service repeats sources in its own words. What
cannot be told for certain is told as such and given to nobody. It knows no request; bulk runs
call `match`.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from humeai_async._base.frozen import frozen
from humeai_async.batch.url_forms import mark_of, normal_form
from humeai_async.bulk.storage import MARK_SIZE, Plan
from humeai_async.bulk.work import Item
from humeai_async.errors import DecodeError
from humeai_async.types.predictions.predictions import Predictions, SourcePredictions
from humeai_async.types.sources import BulkSource


@frozen
class Place:
    """One source of a job, as far as it is known."""

    number: int
    """Its place among the sources that were sent, from 0."""
    given: str
    """URL, text or path."""
    md5: str | None = None
    """Of a file: MD5 of the content, in hex."""


def match(
    plan: Plan, items: Sequence[Item[BulkSource]], predictions: Predictions
) -> list[SourcePredictions | None]:
    """Find the results of some of a job's sources.

    Args:
        plan: What was sent.
        items: Sources of the plan.
        predictions: The job's results.

    Returns:
        The results of each item, in their order; `None` where it cannot be told.
    """
    places = _places(plan, items)
    kind = {"urls": "url", "text": "text", "files": "file"}[plan.kind]
    # What says nothing of its source is of none, or of the only one.
    shares = [one for one in predictions if one.source.type == kind]
    find = {"urls": _match_urls, "text": _match_texts, "files": _match_files}[plan.kind]
    return find(places, shares, plan)


def _places(plan: Plan, items: Sequence[Item[BulkSource]]) -> list[Place]:
    """Return the places of items; those of one key, given twice, have the places in turn."""
    free: dict[bytes, list[int]] = {}
    for number, key in enumerate(plan.keys):
        free.setdefault(key, []).append(number)
    places: list[Place] = []
    for item in items:
        numbers = free[item.key]
        number = numbers.pop(0) if len(numbers) > 1 else numbers[0]
        md5 = plan.marks[number].hex() if plan.kind == "files" and plan.marks else None
        places.append(Place(number, given_text(item), md5))
    return places


def given_text(item: Item[BulkSource]) -> str:
    """Return the URL, text or path of an item."""
    source = item.source
    if item.kind == "files":
        return str(source)
    return str.__str__(cast("str", getattr(source, "text", source)))


def _match_urls(
    places: Sequence[Place], shares: Sequence[SourcePredictions], plan: Plan
) -> list[SourcePredictions | None]:
    """Match URLs: exactly, then by normal form, then by place if that holds for all others."""
    left = list(range(len(shares)))
    found: dict[int, int] = {}
    ways: tuple[Callable[[str], str], ...] = (str, normal_form)
    for way in ways:
        if not left:
            break
        told: dict[str, list[int]] = {}
        for number in left:
            told.setdefault(way(shares[number].source.url or ""), []).append(number)
        for at, place in enumerate(places):
            if at not in found and (numbers := told.get(way(place.given))):
                found[at] = numbers[0] if len(numbers) == 1 else numbers.pop(0)
        left = [number for number in left if number not in found.values()]
    keeps_order = len(shares) == len(plan.keys) and all(
        number == places[at].number or shares[places[at].number].source == shares[number].source
        for at, number in found.items()
    )
    if keeps_order:
        for at, place in enumerate(places):
            share = shares[place.number]
            # A URL that was sent has its own place, be it among the items or not.
            is_other = mark_of(share.source.url or "", MARK_SIZE) in plan.marks
            if at not in found and place.number in left and not is_other:
                found[at] = place.number
    return [shares[found[at]] if at in found else None for at in range(len(places))]


def _match_files(
    places: Sequence[Place], shares: Sequence[SourcePredictions], plan: Plan
) -> list[SourcePredictions | None]:
    """Match files by content, and those of the same content by name.

    The last one stays for whoever comes after, should the service have joined the files.
    """
    del plan
    by_content: dict[str, list[SourcePredictions]] = {}
    for share in shares:
        by_content.setdefault((share.source.md5sum or "").lower(), []).append(share)
    found: list[SourcePredictions | None] = []
    for place in places:
        alike = by_content.get(place.md5 or "", [])
        if not alike:
            # Nothing told of its content: its name will do if no other has that.
            name = Path(place.given).name
            named = [one for one in by_content.get("", []) if one.source.filename == name]
            found.append(named[0] if len(named) == 1 else None)
        elif len(alike) == 1:
            found.append(alike[0])
        else:
            names = [one.source.filename for one in alike]
            name = Path(place.given).name
            found.append(alike.pop(names.index(name) if name in names else 0))
    return found


def _match_texts(
    places: Sequence[Place], shares: Sequence[SourcePredictions], plan: Plan
) -> list[SourcePredictions | None]:
    """Match texts by place, checked by the text that the language model repeats."""
    if len(shares) == len(plan.keys) and all(
        _repeats(shares[place.number], place.given) for place in places
    ):
        return [shares[place.number] for place in places]
    found: list[SourcePredictions | None] = []
    for place in places:
        fitting = [one for one in shares if _said(one) and _repeats(one, place.given)]
        rivals = [
            other
            for other in places
            if other.given != place.given and fitting and _repeats(fitting[0], other.given)
        ]
        found.append(fitting[0] if len(fitting) == 1 and not rivals else None)
    return found


def _repeats(share: SourcePredictions, text: str) -> bool:
    """Whether results may be of a text: what the language model repeats of it is in it."""
    return _said(share) in _letters(text)


def _said(share: SourcePredictions) -> str:
    """Return the letters of what the language model repeats of a source."""
    pieces: list[str] = []
    for file in share.files:
        language: Any = file.models.language
        with contextlib.suppress(DecodeError):  # what cannot be read says nothing
            for group in language.grouped_predictions if language else ():
                pieces += [prediction.text or "" for prediction in group.predictions]
    return _letters("".join(pieces))


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join([sign for sign in plain if sign.isalnum()])
