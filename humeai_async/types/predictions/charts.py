"""Predictions as pictures: timelines, drawn by Vega-Altair.

Altair is imported when a picture is asked for; with vl-convert beside it, pictures are saved as
HTML, SVG or PNG without a network. `Predictions.plot` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from humeai_async._base.packages import load_package
from humeai_async._base.urls import short_name
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.predictions.timelines import Timeline, Track

__all__ = ["COLORS", "DASHES", "MINUTES_FROM", "check_strips", "check_top", "draw_timeline"]

COLORS = (
    "#3b7dd8", "#c2570c", "#2e8b57", "#b0479e", "#8a7400",
    "#d03b3b", "#0f8a9d", "#7a67d6", "#9a6040", "#767676",
)  # fmt: skip
"""Colors of lines: a contrast of at least 3 to white and to the report's black."""
DASHES = ((1, 0), (6, 2), (2, 2), (8, 2, 2, 2), (4, 4))
"""Dashes of lines, for those who cannot tell colors apart; they take turns."""
MINUTES_FROM = 180
"""Seconds from which on time is shown in minutes."""
_DOTTED = 60
"""Points of a line that are marked; of more, the line is enough."""
_LABELLED = 16
"""Pieces of a transcript that are written out; of more, each is shown when it is pointed at."""
_WIDTH, _HEIGHT, _STRIP = 640, 130, 34
_INDENT = 3
"""Pixels between the edge of a piece and its text."""
_LONGEST_TITLE = 90


def check_top(top: int) -> None:
    """Check how many expressions are to be drawn.

    Raises:
        InvalidArgumentError: They are none, or too many to be told apart.
    """
    if top not in range(1, len(COLORS) + 1):
        raise InvalidArgumentError(f"top must be from 1 to {len(COLORS)}, not {top!r}", field="top")


def check_strips(strips: int) -> None:
    """Check how many faces and speakers are to be drawn.

    Raises:
        InvalidArgumentError: They are none.
    """
    if not isinstance(strips, int) or strips < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # who has no type checker
        raise InvalidArgumentError(f"strips must be 1 or more, not {strips!r}", field="strips")


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
    drawing = _Drawing(load_package("altair"), timeline)
    if any(len(track.places) > 1 for track in timeline.tracks):
        chart = drawing.lines()
    else:
        chart = drawing.bars()
    title = short_name(name, _LONGEST_TITLE)
    if timeline.left_out:
        drawn = len(timeline.tracks)
        title += f" ({drawn} of {drawn + timeline.left_out:,} faces and speakers)"
    about = f"Scores of {', '.join(timeline.expressions)} in {title}"
    return chart.properties(title=drawing.title(title), description=about)


class _Drawing:
    """Draws one timeline.

    Args:
        alt: The package Altair.
        timeline: What to draw.
    """

    def __init__(self, alt: Any, timeline: Timeline) -> None:
        self._alt = alt
        self._timeline = timeline
        first, last = _span(timeline.tracks)
        is_long = timeline.has_time and last - first >= MINUTES_FROM
        self._unit = 60.0 if is_long else 1.0
        time = "minutes" if is_long else "seconds"
        self._axis = time if timeline.has_time else "prediction"
        scores = [
            score for one in timeline.tracks for some in one.scores.values() for score in some
        ]
        numbers = [score for score in scores if score is not None]
        self._domain = min([0.0, *numbers]), max([0.0, *numbers])

    def title(self, text: str) -> Any:
        """Write above a picture what it shows."""
        return self._alt.TitleParams(text, anchor="start")

    def lines(self) -> Any:
        """Draw a strip of lines for each track, and its transcript below it."""
        strips: list[Any] = []
        for track in self._timeline.tracks:
            strips.append(self._lines(track, is_last=track is self._timeline.tracks[-1]))
            if track.words:
                strips.append(self._words(track))
        return self._alt.vconcat(*strips).resolve_scale(x="independent")

    def bars(self) -> Any:
        """Draw bars for each track."""
        return self._alt.vconcat(*map(self._bars, self._timeline.tracks))

    def _places(self, track: Track) -> Any:
        """Return the scale of a strip's places: the same in all strips where they are times."""
        first, last = _span(self._timeline.tracks if self._timeline.has_time else [track])
        return self._alt.Scale(domain=[first / self._unit, last / self._unit], nice=False)

    def _by_expression(self, kind: Any, values: tuple[Any, ...], legend: Any) -> Any:
        names = self._timeline.expressions
        chosen = [values[n % len(values)] for n in range(len(names))]
        scale = self._alt.Scale(domain=list(names), range=chosen)
        return kind("expression:N", scale=scale, title="expression", legend=legend)

    def _points(self, track: Track) -> Iterator[dict[str, Any]]:
        for name in self._timeline.expressions:
            for place, score in zip(track.places, track.scores[name], strict=True):
                shown = None if score is None else round(score, 4)  # none breaks the line
                at = round(place / self._unit, 4)
                yield {"place": at, "expression": name, "score": shown}

    def _chart(self, track: Track) -> Any:
        alt, values = self._alt, [*self._points(track)]
        title = alt.TitleParams(track.title, anchor="start", fontSize=12)
        chart = alt.Chart(alt.Data(values=values), title=title, description=track.title)
        return chart.properties(width=_WIDTH)

    def _lines(self, track: Track, *, is_last: bool) -> Any:
        alt = self._alt
        # Between two gaps a line has a single point, which nobody would see.
        has_gaps = any(None in line for line in track.scores.values())
        is_dotted = has_gaps or len(track.places) <= _DOTTED
        point = {"size": 18} if is_dotted else False
        axis = self._axis if is_last else None
        legend = alt.Legend(symbolType="stroke", symbolSize=300)
        tooltip = ["expression:N", alt.Tooltip("place:Q", title=self._axis), "score:Q"]
        return (
            self._chart(track)
            .mark_line(point=point)
            .encode(
                x=alt.X("place:Q", title=axis, scale=self._places(track)),
                y=alt.Y("score:Q", title="score", scale=alt.Scale(domain=[*self._domain])),
                color=self._by_expression(alt.Color, COLORS, legend),
                strokeDash=self._by_expression(alt.StrokeDash, DASHES, legend),
                tooltip=tooltip,
            )
            .properties(height=_HEIGHT)
        )

    def _bars(self, track: Track) -> Any:
        alt = self._alt
        return (
            self._chart(track)
            .mark_bar()
            .encode(
                x=alt.X("score:Q", title="score", scale=alt.Scale(domain=[*self._domain])),
                y=alt.Y("expression:N", sort="-x", title=None),
                color=self._by_expression(alt.Color, COLORS, None),
                tooltip=["expression:N", "score:Q"],
            )
        )

    def _words(self, track: Track) -> Any:
        alt, places = self._alt, self._places(track)
        first, last = places.domain
        scale = _WIDTH / max(last - first, 1e-9)
        values: list[dict[str, Any]] = []
        for one, following in zip_longest(track.words, track.words[1:]):
            begin, end = one.begin / self._unit, one.end / self._unit
            until = last if following is None else following.begin / self._unit
            # Room up to the next piece, or to the edge; 0 would be without limit.
            room = max(round((until - begin) * scale) - 2 * _INDENT, 1)
            values.append({"begin": begin, "end": end, "text": one.text, "room": room})
        about = f"transcript of {track.title}"
        base = alt.Chart(alt.Data(values=values), description=about).encode(
            x=alt.X("begin:Q", title=None, axis=None, scale=places),
            tooltip=["text:N", "begin:Q", "end:Q"],
        )
        is_labelled = len(values) <= _LABELLED
        edge = {"stroke": "white"} if is_labelled else {}  # it would hide bars as thin as itself
        strip = base.mark_bar(height=18, opacity=0.35, color="#8888aa", **edge).encode(x2="end:Q")
        if is_labelled:
            room = alt.ExprRef(expr="datum.room")
            labels = base.mark_text(align="left", dx=_INDENT, limit=room, fontSize=10)
            strip += labels.encode(text="text:N")
        return strip.properties(width=_WIDTH, height=_STRIP)


def _span(tracks: Sequence[Track]) -> tuple[float, float]:
    """Return the first and the last place of all that is drawn."""
    places = [place for track in tracks for place in track.places]
    words = [one for track in tracks for one in track.words]
    places += [place for one in words for place in (one.begin, one.end)]
    return min(places, default=0.0), max(places, default=0.0)
