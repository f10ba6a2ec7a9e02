"""Seventy quotas of the zoo, each met as well as it was: whoever makes one worse sees which.

Short cells that take a few milliseconds each. A change that makes others better by more than it
costs here may move a line: `tests/limiter_zoo.py --seed N` shows a cell, and the zoo as a whole
is the referee.
"""

from __future__ import annotations

import pytest
from zoo.cells import draw
from zoo.traffic import run

CELLS = {
    9001: (1.000, 0.090),  # token/burst 2 14 in 10 s; x-rate-limit on 429s, ms
    9004: (1.000, 0.075),  # fixed/clock 70 in 60 s; none
    9008: (0.834, 0.017),  # sliding/weighted 55 in 60 s; draft-7 on all, ms + Retry-After
    9012: (1.000, 0.095),  # leaky/burst 68 68 in 15 s shared; draft-7 on 429s, left
    9015: (0.958, 0.048),  # both/key 21 in 0.5 s; draft-7 on 429s, left + Retry-After
    9019: (0.857, 0.234),  # fixed/first request 6 in 0.5 s shared; none
    9020: (0.964, 0.308),  # sliding/weighted 4 in 15 s; x-ratelimit on all, window
    9024: (1.000, 0.393),  # token/burst 2 2 in 2 s 2 in flight; none
    9025: (1.000, 0.094),  # gcra/burst 11 11 in 0.5 s; draft-8 on 429s, ms
    9029: (0.875, 0.148),  # fixed/first request 14 in 60 s 2 in flight; retry-after
    9033: (1.000, 0.039),  # leaky/burst 2 47 in 2 s 21 in flight; x-rate-limit on 429s, full
    9045: (0.965, 0.121),  # both/key 18 in 30 s; x-rate-limit on all, left + Retry-After
    9054: (1.000, 0.121),  # both/key 48 in 30 s; x-rate-limit on all, window
    9055: (1.000, 0.072),  # gcra/burst 7 14 in 5 s; draft-8 on all, window + Retry-After
    9061: (0.988, 0.000),  # sliding/log 67 in 0.5 s; draft-7 on all, left
    9062: (0.980, 0.041),  # sliding/log 45 in 10 s; none
    9064: (1.000, 0.066),  # fixed/key 7 in 5 s 2 in flight; draft-8 on all, full + Retry-After
    9065: (0.973, 0.027),  # sliding/log 19 in 60 s; retry-after
    9066: (1.000, 0.283),  # fixed/key 4 in 2 s; retry-after
    9067: (0.770, 0.000),  # gcra/burst 74 735 in 0.5 s; x-ratelimit on all, window + Retry-After
    9071: (0.950, 0.047),  # gcra/burst 1 43 in 15 s; none
    9073: (0.390, 0.167),  # both/first request 8 in 15 s; draft-7 on all, full + Retry-After
    9076: (0.979, 0.116),  # leaky/burst 3 6 in 0.5 s; none
    9080: (0.937, 0.022),  # fixed/clock 12 in 15 s; draft-8 on all, window + Retry-After
    9081: (0.975, 0.205),  # fixed/first request 5 in 10 s; none
    9082: (1.000, 0.347),  # sliding/log 4 in 2 s; x-ratelimit on 429s, window + Retry-After
    9089: (1.000, 0.000),  # fixed/clock 5 in 0.5 s; x-ratelimit on all, full
    9097: (1.000, 0.052),  # leaky/burst 8 15 in 2 s; x-ratelimit on all, window
    9100: (1.000, 0.053),  # token/burst 2 9 in 10 s; draft-8 on all, full + Retry-After
    9102: (0.954, 0.067),  # leaky/burst 6 11 in 2 s; retry-after
    9106: (0.968, 0.185),  # sliding/log 4 in 5 s; draft-8 on all, window + Retry-After
    9110: (0.800, 0.273),  # sliding/weighted 2 in 0.5 s; draft-7 on all, full + Retry-After
    9111: (1.000, 0.125),  # both/key 18 in 60 s; x-rate-limit on 429s, left
    9112: (0.932, 0.111),  # gcra/burst 2 13 in 30 s; none
    9122: (0.763, 0.185),  # both/key 9 in 1 s; none
    9129: (
        0.934,
        0.259,
    ),  # both/first request 10 in 5 s shared 21 in flight; x-ratelimit on 429s, full
    9137: (1.000, 0.000),  # fixed/first request 126 in 2 s; draft-7 on all, window + Retry-After
    9147: (1.000, 0.280),  # token/burst 2 6 in 30 s; retry-after
    9149: (1.000, 0.054),  # both/clock 59 in 2 s; x-rate-limit on all, window
    12004: (1.000, 0.070),  # leaky/burst 8 15 in 2 s shared; draft-8 on all, ms
    12007: (1.000, 0.081),  # leaky/burst 1 17 in 60 s 21 in flight; x-ratelimit on all, window
    12008: (0.941, 0.043),  # token/burst 2 15 in 1 s; draft-8 on 429s, ms
    12017: (1.000, 0.230),  # leaky/burst 4 8 in 15 s; retry-after
    12019: (1.000, 0.078),  # fixed/key 67 in 2 s; retry-after
    12020: (1.000, 0.035),  # gcra/burst 20 40 in 2 s; x-rate-limit on all, ms
    12022: (0.976, 0.000),  # leaky/burst 22 215 in 0.5 s; draft-7 on 429s, window + Retry-After
    12025: (0.243, 0.018),  # both/clock 59 in 5 s; retry-after
    12027: (1.000, 0.054),  # leaky/burst 47 47 in 15 s; draft-7 on 429s, window
    12033: (0.958, 0.489),  # both/first request 3 in 5 s; draft-7 on all, window + Retry-After
    12034: (1.000, 0.296),  # gcra/burst 5 5 in 0.5 s shared; retry-after
    12039: (1.000, 0.000),  # both/key 1548 in 1 s; draft-7 on all, left + Retry-After
    12041: (1.000, 0.100),  # both/key 42 in 15 s; draft-7 on 429s, ms
    12044: (0.884, 0.090),  # sliding/log 14 in 1 s shared; x-ratelimit on all, ms + Retry-After
    12057: (0.827, 0.020),  # sliding/log 71 in 0.5 s; x-rate-limit on 429s, full
    12065: (0.994, 0.000),  # sliding/log 173 in 1 s; draft-7 on all, left
    12068: (
        0.758,
        0.376,
    ),  # fixed/first request 5 in 2 s shared; x-ratelimit on all, full + Retry-After
    12070: (1.000, 0.219),  # leaky/burst 3 6 in 30 s; x-rate-limit on all, left + Retry-After
    12075: (0.875, 0.106),  # fixed/first request 5 in 2 s; draft-8 on all, left
    12076: (1.000, 0.156),  # gcra/burst 2 8 in 60 s; draft-8 on all, full
    12077: (0.899, 0.049),  # token/burst 2 92 in 5 s; retry-after
    12078: (1.000, 0.146),  # fixed/key 23 in 10 s; none
    12089: (1.000, 0.082),  # both/clock 26 in 10 s 85 in flight; retry-after
    12093: (1.000, 0.197),  # fixed/clock 5 in 2 s; none
    12099: (1.000, 0.051),  # token/burst 40 40 in 2 s; none
    12116: (
        0.637,
        0.161,
    ),  # leaky/burst 469 4689 in 2 s 2 in flight; draft-8 on all, left + Retry-After
    12121: (1.000, 0.409),  # both/key 9 in 30 s shared; x-ratelimit on 429s, left + Retry-After
    12125: (0.750, 0.024),  # sliding/log 7 in 1 s; draft-7 on all, ms + Retry-After
    12126: (0.251, 0.108),  # sliding/weighted 87 in 0.5 s; retry-after
    12131: (0.970, 0.049),  # fixed/clock 30 in 10 s; draft-8 on all, ms
    12137: (1.000, 0.000),  # sliding/log 656 in 0.5 s; draft-7 on all, window
    12139: (1.000, 0.100),  # fixed/key 3 in 30 s; draft-7 on all, left + Retry-After
    12141: (1.000, 0.066),  # leaky/burst 13 13 in 2 s; draft-8 on all, full
    12143: (1.000, 0.120),  # token/burst 54 54 in 15 s shared; draft-8 on 429s, window
    12146: (1.000, 0.084),  # gcra/burst 2 15 in 10 s; x-rate-limit on all, window + Retry-After
}
"""By seed: the least share of the quota's pace, and the largest share of 429s."""


@pytest.mark.parametrize("seed", CELLS)
def test_a_quota_of_the_zoo_is_met_as_well_as_it_was(seed: int) -> None:
    pace, refused = CELLS[seed]
    outcome = run(draw(seed))
    assert outcome.pace >= pace, outcome
    assert outcome.refused <= refused, outcome
