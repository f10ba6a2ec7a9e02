"""Predictions as pictures: timelines, drawn by Vega-Altair.

Altair is imported when a picture is asked for; with vl-convert beside it, pictures are saved as
HTML, SVG or PNG without a network. `Predictions.plot` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.types.predictions.timelines import Timeline, Track

__all__ = ["draw_timeline"]

_LABELLED = 16
"""Pieces of a transcript that are written out; of more, each is shown when it is pointed at."""
_WIDTH, _HEIGHT, _STRIP = 640, 130, 34
_INDENT = 3
"""Pixels between the edge of a piece and its text."""


def draw_timeline(name: str, timeline: Timeline) -> Any:
    """Draw the strongest expressions of one source.

    Args:
        name: The source; URLs are shown without their query.
        timeline: What to draw.

    Returns:
        An `altair.VConcatChart`: a line an expression, a strip a face or speaker, with the
        transcript where there is one; bars where no strip has more than one prediction.

    Raises:
        MissingPackageError: Altair is not installed (extra `report`).
    """
    alt = load_package("altair")
    names = list(timeline.expressions)
    color = alt.Color(
        "expression:N", scale=alt.Scale(domain=names, scheme="tableau10"), title="expression"
    )
    goes_on = any(len(track.places) > 1 for track in timeline.tracks)
    draw = _draw_lines if goes_on else _draw_bars
    span = _span(timeline)
    strips: list[Any] = []
    for track in timeline.tracks:
        strips.append(draw(alt, track, timeline, color))
        if goes_on and track.words:
            strips.append(_draw_words(alt, track, span))
    title = alt.TitleParams(" ".join(without_queries(name).split())[:100], anchor="start")
    shares = "shared" if goes_on and timeline.has_time else "independent"
    return alt.vconcat(*strips).resolve_scale(x=shares).properties(title=title)


def _span(timeline: Timeline) -> tuple[float, float]:
    """Return the first and the last place of all that is drawn."""
    places = [place for track in timeline.tracks for place in track.places]
    words = [one for track in timeline.tracks for one in track.words]
    places += [place for one in words for place in (one.begin, one.end)]
    return min(places, default=0.0), max(places, default=0.0)


def _points(track: Track, timeline: Timeline) -> Iterator[dict[str, Any]]:
    for name in timeline.expressions:
        for place, score in zip(track.places, track.scores[name], strict=True):
            if score is not None:
                yield {"place": round(place, 3), "expression": name, "score": round(score, 4)}


def _draw_lines(alt: Any, track: Track, timeline: Timeline, color: Any) -> Any:
    axis = "seconds" if timeline.has_time else "prediction"
    return (
        alt.Chart(alt.Data(values=[*_points(track, timeline)]), description=track.title)
        .mark_line(point={"size": 18}, interpolate="monotone")
        .encode(
            x=alt.X("place:Q", title=axis, scale=alt.Scale(nice=False)),
            y=alt.Y("score:Q", title=track.title),
            color=color,
            tooltip=["expression:N", alt.Tooltip("place:Q", title=axis), "score:Q"],
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _draw_bars(alt: Any, track: Track, timeline: Timeline, color: Any) -> Any:
    return (
        alt.Chart(alt.Data(values=[*_points(track, timeline)]), description=track.title)
        .mark_bar()
        .encode(
            x=alt.X("score:Q", title="score"),
            y=alt.Y("expression:N", sort="-x", title=track.title),
            color=color,
            tooltip=["expression:N", "score:Q"],
        )
        .properties(width=_WIDTH)
    )


def _draw_words(alt: Any, track: Track, span: tuple[float, float]) -> Any:
    first, last = span
    scale = _WIDTH / max(last - first, 1e-9)
    values: list[dict[str, Any]] = []
    for one, following in zip_longest(track.words, track.words[1:]):
        until = last if following is None else following.begin
        # Room up to the next piece, or to the edge; 0 would be without limit.
        room = max(round((until - one.begin) * scale) - 2 * _INDENT, 1)
        values.append({"begin": one.begin, "end": one.end, "text": one.text, "room": room})
    base = alt.Chart(alt.Data(values=values), description=f"transcript of {track.title}").encode(
        x=alt.X("begin:Q", title=None, axis=None, scale=alt.Scale(domain=[*span], nice=False)),
        tooltip=["text:N", "begin:Q", "end:Q"],
    )
    bars = base.mark_bar(height=18, opacity=0.35, color="#8888aa").encode(x2="end:Q")
    if len(values) > _LABELLED:
        return bars.properties(width=_WIDTH, height=_STRIP)
    room = alt.ExprRef(expr="datum.room")
    labels = base.mark_text(align="left", dx=_INDENT, limit=room, fontSize=10).encode(text="text:N")
    return (bars + labels).properties(width=_WIDTH, height=_STRIP)
