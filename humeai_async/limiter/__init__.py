"""The limiter: may I go now, and what did the response teach?

`limiter.py` is what callers see; `bucket.py` and `queue.py` keep the order. `gate.py` decides
when a call may go, `learner.py` measures the quota, and both are pure; `headers.py` reads what
servers say, `token_bucket.py` counts.
"""
