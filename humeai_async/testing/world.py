"""What all parts of one fake share: its settings, its clock, its ids, what was uploaded.

It knows no endpoint. The job store, the EVI store and the registry are each given it.
"""

from __future__ import annotations

import uuid
from collections import Counter

from humeai_async.testing.clock import Clock
from humeai_async.testing.exchange import FormPart
from humeai_async.testing.options import Options
from humeai_async.testing.wanted import Wanted

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class World:
    """The ground that one fake stands on."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self._counts: Counter[str] = Counter()
        self.user_id: str = self.new_id("user")
        self.uploads: list[FormPart] = []
        self.wanted: dict[str, Wanted] = {}
        """What tests want, by URL, text or file name."""

    def new_id(self, kind: str) -> str:
        """Return the next id of a kind; the same calls give the same ids."""
        self._counts[kind] += 1
        return str(uuid.uuid5(_NAMESPACE, f"{kind}/{self._counts[kind]}"))

    def now_ms(self) -> int:
        """Return the fake's time in epoch milliseconds."""
        return self.clock.epoch_ms()
