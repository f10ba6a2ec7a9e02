"""What can be made of predictions: rows, tables, a summary, pictures.

`PredictionViews` needs no more than a sequence of sources; `Predictions` inherits from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from humeai_async._base.urls import repr_without_query
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.blocks import blocks_of
from humeai_async.types.predictions.failures import Failures, find_failures
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import MODELS, Row, RowBatch, row_batches
from humeai_async.types.predictions.summary import Profiles, Summary
from humeai_async.types.predictions.timelines import make_timeline

__all__ = ["PredictionViews"]


class PredictionViews(Sequence[SourcePredictions]):
    """The predictions of some sources, as rows, tables, a summary or a picture."""

    __slots__ = ()

    def validate(self) -> None:
        """Read everything, so that nothing wrong is left for later, and keep nothing.

        Raises:
            DecodeError: A part is not what was promised; `path` names it.
        """
        raise NotImplementedError

    def named(self, texts: str = "") -> Iterator[tuple[str, SourcePredictions]]:
        """Give each source with its URL or file name, or `#2` for a text that stands third.

        Args:
            texts: What to put before the place of a text, such as the id of the job.
        """
        for place, found in enumerate(self):
            yield found.source.url or found.source.filename or f"{texts}#{place}", found

    @property
    def failures(self) -> Failures:
        """Sources, and files of sources, that failed: tables have no rows of them."""
        return Failures(
            failure for name, found in self.named() for failure in find_failures(name, found)
        )

    def to_arrow(self, model: str | None = None, *, long: bool = False) -> Any:
        """Make a table of all predictions: one row a prediction, or one row a score.

        The wide form has the columns of `tables.SCHEMA`, or only those of one model; the long
        form has `source`, `file`, `model`, `id` (face or speaker), `begin` and `end` (seconds),
        `text`, `expression` and `score`. These two also have what a job can ask for beside the
        expressions: `facs_...` and `descriptions_...`. What failed has no rows: see `failures`.

        Args:
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`, to read only
                this one; all without it.
            long: Whether to make the long form.

        Returns:
            A `pyarrow.Table`. Expressions that the library does not know are columns at the end.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: pyarrow is not installed (extra `arrow`).
            DecodeError: A part is not what was promised; `path` names it.
        """
        models = tables.check_model(model)
        try:
            batches = self.row_batches(models, described=long or model is not None)
            return tables.to_arrow(batches, model=model, long=long)
        except DecodeError:
            self.validate()
            raise

    def to_polars(self, model: str | None = None, *, long: bool = False) -> Any:
        """Make a `polars.DataFrame` of all predictions; else as `to_arrow`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: polars or pyarrow is not installed.
            DecodeError: A part is not what was promised; `path` names it.
        """
        return tables.to_polars(self.to_arrow(model, long=long))

    def to_pandas(self, model: str | None = None, *, long: bool = False) -> Any:
        """Make a `pandas.DataFrame` of all predictions; else as `to_arrow`.

        Whole numbers that may be missing, such as `frame`, have pandas' own type `Int64`.

        Raises:
            InvalidArgumentError: There is no such model.
            MissingPackageError: pandas or pyarrow is not installed.
            DecodeError: A part is not what was promised; `path` names it.
        """
        return tables.to_pandas(self.to_arrow(model, long=long))

    def rows(
        self, models: Sequence[str] = MODELS, *, described: bool = False, texts: str = ""
    ) -> Iterator[Row]:
        """Flatten all predictions, one row each, with `named` in the column `source`.

        Args:
            models: Names of the models to read; the others cost nothing.
            described: Whether to give FACS and descriptions too, where a job asked for them.
            texts: See `named`.

        Raises:
            DecodeError: A part is not what was promised.
        """
        for batch in self.row_batches(models, described=described, texts=texts):
            yield from batch.rows()

    def row_batches(
        self, models: Sequence[str] = MODELS, *, described: bool = False, texts: str = ""
    ) -> Iterator[RowBatch]:
        """Flatten all predictions as `rows` does, some rows at a time, which is faster.

        Raises:
            DecodeError: A part is not what was promised.
        """
        for name, found in self.named(texts):
            yield from row_batches(name, found, models, described=described)

    def _repr_html_(self) -> str:
        """Show the first predictions in a notebook."""
        from humeai_async.types.predictions.html_table import make_html

        return make_html("Predictions", [*self.named()], self.failures)

    def summary(self) -> Summary:
        """Tell the strongest expressions of each source and model, and for how long.

        Reads all emotions once. `print(predictions.summary())` shows a table, and below it what
        failed, and sources in which nothing was measured.

        Raises:
            DecodeError: A part is not what was promised; `path` names it.
        """
        profiles = Profiles()
        try:
            profiles.add(blocks_of(self.row_batches()))
        except DecodeError:
            self.validate()
            raise
        found, failures = profiles.take(), self.failures
        told = {each.source for each in (*found, *failures)}
        return Summary(
            found,
            [(each.source, each.reason) for each in failures],
            [name for name, _ in self.named() if name not in told],
        )

    def plot(
        self,
        source: str | int | None = None,
        *,
        model: str | None = None,
        top: int = 5,
        strips: int = 24,
    ) -> Any:
        """Draw how the strongest expressions of a source go up and down.

        Args:
            source: Its name as `named` and tables have it, or its place in the response; the
                first one that has predictions if left out.
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`; all without it.
            top: Expressions to draw, the strongest of each strip first; 1 to 10.
            strips: Faces and speakers to draw at most, the longest of each model first; 1 or
                more. The title says how many there are beyond these.

        Returns:
            An `altair.VConcatChart`, which notebooks show and `chart.save("timeline.html")`, or
            `.svg` or `.png`, writes: a strip for each face and speaker, with the transcript where
            there is one. URLs are shown without their query. The chart is Altair's: its own
            methods raise Altair's errors, such as `OSError` for a file that cannot be written
            and `ValueError` for a format that it does not know.

        Raises:
            InvalidArgumentError: There is no such source or model, or it has no predictions.
            MissingPackageError: Altair is not installed (extra `report`).
            DecodeError: A part is not what was promised; `path` names it.
        """
        from humeai_async.types.predictions import charts

        models = tables.check_model(model)
        charts.check_top(top)
        charts.check_strips(strips)
        for name, found in self._chosen(source):
            blocks = blocks_of(row_batches(name, found, models))
            timeline = make_timeline(blocks, top=top, tracks=strips)
            if timeline.tracks:
                title = f"text {name}" if name.startswith("#") else name
                return charts.draw_timeline(title, timeline)
        raise InvalidArgumentError(
            "there are no predictions to draw; predictions.failures tells what failed",
            field="source",
        )

    def _chosen(self, source: str | int | None) -> list[tuple[str, SourcePredictions]]:
        """Return the sources to draw one of."""
        named = [*self.named()]
        if source is None:
            return named
        if isinstance(source, int):
            chosen = named[source : source + 1] if source >= 0 else []
        else:
            chosen = [pair for pair in named if pair[0] == source][:1]
        if not chosen:
            raise InvalidArgumentError(
                f"there is no source {repr_without_query(source)} among {len(named)}; give a place "
                "from 0, or a name as in the tables' column source",
                field="source",
            )
        return chosen
