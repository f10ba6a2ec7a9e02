"""What a bulk run costs, in whatever unit its service bills, and the budget that it keeps to.

It knows no product; a kind of work says what each of its requests may cost.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

from attrs import define, field

from humeai_async.errors import BudgetReachedError


@define(eq=False)
class Bill:
    """The bill of one run, over all of its starts with the same ledger."""

    unit: str = ""
    """What is counted, such as `input tokens`."""
    budget: float | None = None
    """What the run may be billed for; `None` is without limit."""
    spent: float = 0.0
    """What it was billed for, as far as the service has told."""
    in_doubt: int = 0
    """Requests whose response was lost, and that may be billed: they are looked for, or the
    service does not list them."""
    refused: int = 0
    """Requests that were not sent since the budget was used up."""
    _reserved: list[float] = field(factory=list[float], init=False, repr=False)

    @property
    def under_way(self) -> float:
        """What requests without a response yet may cost."""
        return math.fsum(self._reserved)

    @property
    def left(self) -> float | None:
        """What may still be spent; `None` without a budget."""
        if self.budget is None:
            return None
        return max(0.0, self.budget - self.spent - self.under_way)

    @contextmanager
    def reserved(self, cost: float) -> Generator[None]:
        """Set aside in a block what a request may cost.

        Raises:
            BudgetReachedError: It is more than is left; nothing is set aside.
        """
        left = self.left
        if left is not None and (cost > left or left == 0):
            self.refused += 1
            raise BudgetReachedError(
                f"not sent: it may cost {cost:.0f} {self.unit}, and {left:.0f} of "
                f"{self.budget:.0f} are left",
                spent=self.spent + self.under_way,
                budget=self.budget or 0.0,
            )
        self._reserved.append(cost)
        try:
            yield
        finally:
            self._reserved.remove(cost)
