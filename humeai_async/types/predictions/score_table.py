"""Scores of many predictions as one flat array, without an object a score.

A `ScoreTable` is a matrix with a name a column, kept row after row in an `array` of the
standard library, which numpy and pyarrow take over without a copy. It knows neither
predictions nor formats; `Predictions.scores` and `tables.py` fill one.
"""

from __future__ import annotations

import math
from array import array

from humeai_async.errors import DecodeError

MOST_NAMES = 1000
"""Columns of a table at most. The service has some 300 names in all; a response in which every
prediction has names of its own would make a table of the square of its size."""


class ScoreTable:
    """A matrix of scores: one row a prediction, one column a name.

    ```python
    table = predictions.scores("face")
    matrix = numpy.frombuffer(table.values).reshape(len(table), len(table.names))
    joy = table.column("Joy")
    ```

    Attributes:
        names: Names of the columns.

    Args:
        names: Columns to begin with.
        grows: Whether a name that is not there yet becomes a column; otherwise its scores
            are left out.
    """

    def __init__(self, names: tuple[str, ...] = (), *, grows: bool = False) -> None:
        self.names: tuple[str, ...] = names
        self._grows = grows
        self._narrow: list[tuple[int, int, array[float]]] = []
        self._values: array[float] = array("d")
        self._rows = 0
        self._orders: dict[tuple[str, ...], list[int]] = {}

    @property
    def values(self) -> array[float]:
        """All scores, row after row, as 64-bit floats.

        Not a number where a prediction has no such score.
        """
        if self._narrow:
            self._join()
        return self._values

    def extend(self, names: tuple[str, ...], scores: array[float], rows: int) -> None:
        """Add rows of scores.

        Args:
            names: Names of the scores; of a name that is there twice the last one counts.
            scores: As many scores for each row, row after row.
            rows: The number of rows.

        Raises:
            DecodeError: There are more than `MOST_NAMES` names by now.
        """
        if names != self.names:
            scores = self._in_order(names, scores, rows)
        self._values.extend(scores)
        self._rows += rows

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

    def _in_order(self, names: tuple[str, ...], scores: array[float], rows: int) -> array[float]:
        order = self._orders.get(names)
        if order is None:
            order = self._learn(names)
            if names == self.names:
                return scores
        moved = array("d")
        for row in range(rows):
            padded = [*scores[row * len(names) : (row + 1) * len(names)], math.nan]
            moved.fromlist([padded[place] for place in order])
        return moved

    def _learn(self, names: tuple[str, ...]) -> list[int]:
        """Work out, once for each list of names, where each column's score stands in it."""
        if self._grows:
            self._widen(tuple(dict.fromkeys(n for n in names if n not in self.names)))
        places = {name: place for place, name in enumerate(names)}
        order = [places.get(name, len(names)) for name in self.names]
        self._orders[names] = order
        return order

    def _widen(self, names: tuple[str, ...]) -> None:
        """Add columns; the rows so far are padded in one go when the values are asked for."""
        if not names:
            return
        if len(self.names) + len(names) > MOST_NAMES:
            reason = f"the scores have more than {MOST_NAMES} different names"
            raise DecodeError(reason, is_whole=True)
        if self._rows > (self._narrow[-1][0] if self._narrow else 0):
            self._narrow.append((self._rows, len(self.names), self._values))
            self._values = array("d")
        self.names += names
        self._orders.clear()

    def _join(self) -> None:
        """Pad the rows from before the last columns came, and put all rows together."""
        whole, row = array("d"), 0
        for rows, width, values in self._narrow:
            padding = array("d", [math.nan] * (len(self.names) - width))
            for place in range(rows - row):
                whole.extend(values[place * width : (place + 1) * width])
                whole.extend(padding)
            row = rows
        whole.extend(self._values)
        self._narrow, self._values = [], whole
