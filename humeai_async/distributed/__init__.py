"""Bulk runs that many workers share, over any engine.

```python
run = await distributed.plan("/shared/run-7", urls, models={"face": {}})
for partition in await distributed.partitions("/shared/run-7"):  # each on some worker
    await distributed.work(partition, hume)
report = await distributed.collect("/shared/run-7")
```

`plan_measurements` and `plan_decisions` plan runs of recordings, which the same functions work on
and count. `predict_over`, `measure_over` and `decide_over` do it on a Dask cluster. Most runs need
none of this: one process does 200 calls a second, which are 13,000 sources a second, and
`hume.batch.predict_into` survives crashes too. A cluster pays where predictions are large, where
bandwidth counts, or where the data lives.
"""

from __future__ import annotations

from humeai_async.distributed.collect import RunReport, collect
from humeai_async.distributed.dask import RunProgress
from humeai_async.distributed.over import decide_over, measure_over, predict_over
from humeai_async.distributed.partition import Partition, partitions, work
from humeai_async.distributed.plan import RunPlan, plan
from humeai_async.distributed.recordings import plan_decisions, plan_measurements
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.results import PartitionProgress, PartitionReport
from humeai_async.distributed.retries import retry_failed

__all__ = [
    "Partition",
    "PartitionProgress",
    "PartitionReport",
    "RedisLedger",
    "RunPlan",
    "RunProgress",
    "RunReport",
    "collect",
    "decide_over",
    "measure_over",
    "partitions",
    "plan",
    "plan_decisions",
    "plan_measurements",
    "predict_over",
    "retry_failed",
    "work",
]
