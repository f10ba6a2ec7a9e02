"""What a job made, as endpoints: predictions, read at once or kept as text, and artifacts.

`Job` imports this module with the first result that is asked for. The classes of predictions
take as long to import as all else of `hume.batch`, and the event loop stands still meanwhile.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve

from humeai_async.catalog.results import BATCH_GET_ARTIFACTS, BATCH_GET_PREDICTIONS
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.predictions.predictions import UnreadPredictions

ARTIFACTS = BATCH_GET_ARTIFACTS
PREDICTIONS = BATCH_GET_PREDICTIONS
UNREAD_PREDICTIONS = cast(
    "Endpoint[UnreadPredictions]",
    evolve(BATCH_GET_PREDICTIONS, returns=cast("Any", UnreadPredictions)),
)
