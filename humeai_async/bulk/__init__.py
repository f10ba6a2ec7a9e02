"""Many sources in, one outcome for each out, on disk if wanted, whatever stops the program.

`outcomes.py` is what a consumer sees, `pipeline.py` the pipeline, `ledger.py` its memory,
`sinks.py` the files, and `runs.py` all of them in step.
"""
