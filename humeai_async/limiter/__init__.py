"""The limiter: may I go now, and what did the answer teach?

`limiter.py` is what callers see and teaches the theory, `queueing.py` and `lanes.py` keep the
order, `learning.py` and the modules it stands on (`evidence`, `growth`, `credit`,
`concurrency`, `pacing`) are pure and find the rate.
"""
