"""Which of a job's results belong to which of its sources.

The order of results is not promised, and the service repeats sources in its own words. What
cannot be told for certain is told as such and given to nobody. It knows no request; bulk runs
call `match`.
"""

from __future__ import annotations

import contextlib
import enum
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from attrs import evolve

from humeai_async._base.frozen import frozen
from humeai_async.batch.url_forms import mark_of, normal_form
from humeai_async.bulk.ledger_records import MARK_SIZE, Plan
from humeai_async.bulk.work import Item
from humeai_async.errors import DecodeError
from humeai_async.types.predictions.measurements import Source, SourcePredictions
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
    plan: Plan,
    items: Sequence[Item[BulkSource]],
    sources: Sequence[Source],
    read: Callable[[int], SourcePredictions],
) -> list[int | None]:
    """Find the results of some of a job's sources.

    Args:
        plan: What was sent.
        items: Sources of the plan.
        sources: What the service says that each of the job's results is of.
        read: Gives the results at a place among them; asked for of texts only.

    Returns:
        The place of each item's results among those of the job; `None` where it cannot be told.
    """
    if plan.kind == "urls" and are_in_order(plan, items, sources):
        return list(range(len(items)))
    places = _places(plan, items)
    kind = {"urls": "url", "text": "text", "files": "file"}[plan.kind]
    # What says nothing of its source is of none, or of the only one.
    own = [place for place, source in enumerate(sources) if source.type == kind]
    if plan.kind == "text":
        found = _match_texts(places, [_Words.of_results(read(place)) for place in own], plan)
    else:
        find = _match_urls if plan.kind == "urls" else _match_files
        found = find(places, [sources[place] for place in own], plan)
    return [None if number is None else own[number] for number in found]


def are_in_order(plan: Plan, items: Sequence[Item[BulkSource]], sources: Sequence[Source]) -> bool:
    """Whether all sources of a job are told as they were sent, each in its place."""
    if len(items) != len(plan.keys) or len(sources) != len(items):
        return False
    pairs = zip(items, plan.keys, sources, strict=True)
    return all(
        item.key == key and source.type == "url" and source.url == item.source
        for item, key, source in pairs
    )


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


def _match_urls(places: Sequence[Place], sources: Sequence[Source], plan: Plan) -> list[int | None]:
    """Match URLs: exactly, then by normal form, then by place if that holds for all others."""
    left = list(range(len(sources)))
    found: dict[int, int] = {}
    ways: tuple[Callable[[str], str], ...] = (str, normal_form)
    for way in ways:
        if not left:
            break
        by_url: dict[str, list[int]] = {}
        for number in left:
            by_url.setdefault(way(sources[number].url or ""), []).append(number)
        for at, place in enumerate(places):
            if at not in found and (numbers := by_url.get(way(place.given))):
                found[at] = numbers[0] if len(numbers) == 1 else numbers.pop(0)
        taken = set(found.values())
        left = [number for number in left if number not in taken]
    if len(found) < len(places):
        _match_by_place(places, sources, plan, found)
    return [found.get(at) for at in range(len(places))]


def _match_by_place(
    places: Sequence[Place],
    sources: Sequence[Source],
    plan: Plan,
    found: dict[int, int],
) -> None:
    """Match the URLs that are left by their place, if as many came as went, each in its own."""
    keeps_order = len(sources) == len(plan.keys) and all(
        number == places[at].number or sources[places[at].number] == sources[number]
        for at, number in found.items()
    )
    taken = set(found.values())
    for at, place in enumerate(places):
        if not keeps_order or at in found or place.number in taken:
            continue
        # A URL that was sent has its own place, be it among the items or not.
        url = sources[place.number].url or ""
        if mark_of("urls", url, MARK_SIZE) not in plan.marks:
            found[at] = place.number


def _match_files(
    places: Sequence[Place], sources: Sequence[Source], plan: Plan
) -> list[int | None]:
    """Match files by content, and those of the same content by name.

    The last one stays for whoever comes after, should the service have joined the files.
    """
    del plan
    by_content: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        by_content.setdefault((source.md5sum or "").lower(), []).append(number)
    found: list[int | None] = []
    for place in places:
        alike = by_content.get(place.md5 or "", [])
        if not alike:
            # Nothing told of its content: its name will do if no other has that.
            name = Path(place.given).name
            named = [one for one in by_content.get("", []) if sources[one].filename == name]
            found.append(named[0] if len(named) == 1 else None)
        elif len(alike) == 1:
            found.append(alike[0])
        else:
            names = [sources[one].filename for one in alike]
            name = Path(place.given).name
            found.append(alike.pop(names.index(name) if name in names else 0))
    return found


def _match_texts(
    places: Sequence[Place], repeated: Sequence[_Words], plan: Plan
) -> list[int | None]:
    """Match texts by what the language model repeats of them, and by place.

    The place decides where nothing is repeated, or not to the letter, and as many came back as
    were sent; where the words say that another text is meant, the words are believed.
    """
    texts = [_Words.of_text(place.given) for place in places]
    has_all = len(repeated) == len(plan.keys)
    found: list[int | None] = []
    for place, text in zip(places, texts, strict=True):
        fits = [one.fit(text) for one in repeated]
        best = max(fits, default=_Fit.NONE)
        fitting = [number for number, fit in enumerate(fits) if fit is best is not _Fit.NONE]
        if has_all and place.number in fitting:
            found.append(place.number)
        elif best >= _Fit.LOOSE and not _has_rivals(repeated[fitting[0]], text, texts, best):
            # If several fit, they are of one text that was given, or repeated, more than once.
            found.append(fitting[0])
        else:
            found.append(None)
    return found


def _has_rivals(repeated: _Words, text: _Words, texts: Sequence[_Words], best: _Fit) -> bool:
    """Whether results fit another text as well as this one."""
    return any(other.whole != text.whole and repeated.fit(other) >= best for other in texts)


class _Fit(enum.IntEnum):
    """How well what is repeated fits a text."""

    NONE = 0
    """It is of another text."""
    SILENT = 1
    """Nothing is repeated."""
    PARTLY = 2
    """Its letters are letters of the text."""
    LOOSE = 3
    """It is the text but for its spaces."""
    EXACT = 4
    """Each word is repeated with the place that it has in the text, and none is missing."""


@frozen
class _Words:
    """A text, or what the language model repeats of one."""

    whole: str
    squeezed: str
    """Without its spaces."""
    letters: str
    """Nothing but letters and digits, in small letters."""
    spans: Sequence[tuple[str, int, int]] = ()
    """The words, where each begins, and where it ends."""

    @classmethod
    def of_text(cls, text: str) -> _Words:
        plain = unicodedata.normalize("NFKC", text).casefold()
        letters = "".join([sign for sign in plain if sign.isalnum()])
        return cls(text, "".join(text.split()), letters)

    @classmethod
    def of_results(cls, share: SourcePredictions) -> _Words:
        spans: list[tuple[str, int, int]] = []
        for file in share.files:
            language: Any = file.models.language
            with contextlib.suppress(DecodeError):  # what cannot be read says nothing
                for group in language.grouped_predictions if language else ():
                    spans += [
                        (one.text or "", one.position.begin, one.position.end)
                        for one in group.predictions
                    ]
        return evolve(cls.of_text("".join([word for word, _, _ in spans])), spans=spans)

    def fit(self, text: _Words) -> _Fit:
        """Say how well what is repeated fits a text."""
        if not self.squeezed:
            return _Fit.SILENT
        if self.squeezed == text.squeezed:
            is_placed = all(text.whole[begin:end] == word for word, begin, end in self.spans)
            return _Fit.EXACT if is_placed else _Fit.LOOSE
        return _Fit.PARTLY if self.letters and self.letters in text.letters else _Fit.NONE
