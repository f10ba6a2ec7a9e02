"""Scores of many predictions as one flat array, without an object a score.

A `ScoreTable` is a matrix with a name a column, kept row after row in an `array` of the
standard library, which numpy and pyarrow take over without a copy. It knows neither
predictions nor formats; `Predictions.scores` and `tables.py` fill one.
"""

from __future__ import annotations

import math
from array import array


class ScoreTable:
    """A matrix of scores: one row a prediction, one column a name.

    ```python
    table = predictions.scores("face")
    matrix = numpy.frombuffer(table.values).reshape(len(table), len(table.names))
    joy = table.column("Joy")
    ```

    Attributes:
        names: Names of the columns.
        values: All scores, row after row, as 64-bit floats; not a number where a prediction
            has no such score.

    Args:
        names: Columns to begin with.
        grows: Whether a name that is not there yet becomes a column; otherwise its scores
            are left out.
    """

    def __init__(self, names: tuple[str, ...] = (), *, grows: bool = False) -> None:
        self.names: tuple[str, ...] = names
        self.values: array[float] = array("d")
        self._grows = grows
        self._rows = 0
        self._orders: dict[tuple[str, ...], list[int]] = {}

    def append(self, names: tuple[str, ...], scores: list[float]) -> None:
        """Add a row.

        Args:
            names: Names of the scores; of a name that is there twice the last one counts.
            scores: As many scores.
        """
        if names != self.names:
            scores = self._in_order(names, scores)
        self.values.extend(scores)
        self._rows += 1

    def column(self, name: str) -> array[float]:
        """Return a copy of one column.

        Raises:
            KeyError: There is no such column.
        """
        if name not in self.names:
            raise KeyError(name)
        return self.values[self.names.index(name) :: len(self.names)]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __repr__(self) -> str:
        return f"ScoreTable({len(self)} rows, {len(self.names)} names)"

    def _in_order(self, names: tuple[str, ...], scores: list[float]) -> list[float]:
        order = self._orders.get(names)
        if order is None:
            order = self._learn(names)
        padded = [*scores, math.nan]
        return [padded[place] for place in order]

    def _learn(self, names: tuple[str, ...]) -> list[int]:
        """Work out, once for each list of names, where each column's score stands in it."""
        if self._grows:
            self._widen(tuple(dict.fromkeys(n for n in names if n not in self.names)))
        places = {name: place for place, name in enumerate(names)}
        order = [places.get(name, len(names)) for name in self.names]
        self._orders[names] = order
        return order

    def _widen(self, names: tuple[str, ...]) -> None:
        if not names:
            return
        width, padding = len(self.names), array("d", [math.nan] * len(names))
        old, self.values = self.values, array("d")
        for row in range(self._rows):
            self.values.extend(old[row * width : (row + 1) * width])
            self.values.extend(padding)
        self.names += names
        self._orders.clear()
