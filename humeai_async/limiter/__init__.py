"""The limiter: may I go now, and what did the response teach?

`limiter.py` is what callers see; `bucket.py` and `queue.py` keep the order. `gate.py` decides
when a call may go, `pause.py` when one tries a closed quota, `learner.py` and `measure.py` find
out what the quota is, and all are pure; `headers.py` reads what servers say, `account.py` what to
believe of it, `token_bucket.py` counts.
"""
