"""The endpoints of what batch jobs made: predictions and artifacts.

They stand apart from the others of their product, in `batch.py`: the classes of predictions take
as long to import as all else of `hume.batch`, and a program that starts jobs may never read any.
"""

from __future__ import annotations

from humeai_async.catalog.batch import BATCH
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.batch import Artifacts
from humeai_async.types.predictions.predictions import Predictions

# fmt: off

# A bare array, one element a source. Before the job has ended the response is an error, of a
# status that the reference does not give.
BATCH_GET_PREDICTIONS = Endpoint(
    "batch.get_predictions", "GET", "/v0/batch/jobs/{id}/predictions", Predictions, **BATCH,
    row="Get job predictions", docs="batch/get-job-predictions")
# A ZIP. The open-source gateway reads responses as text, which ruins it.
BATCH_GET_ARTIFACTS = Endpoint(
    "batch.get_artifacts", "GET", "/v0/batch/jobs/{id}/artifacts", Artifacts, **BATCH,
    row="Get job artifacts", docs="batch/get-job-artifacts", binary=True)

# fmt: on
