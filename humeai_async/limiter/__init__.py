"""The limiter: may I go now, and what did the response teach?

`limiter.py` is what callers see and teaches the theory, `bucket.py` and `queue.py` keep the
order, `pacer.py` and the modules it stands on (`estimator`, `growth`, `remaining`,
`concurrency`, `token_bucket`) are pure and find the rate; `headers.py` reads what servers say.
"""
