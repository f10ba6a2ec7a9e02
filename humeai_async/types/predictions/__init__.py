"""What a job's results hold, with their rows, tables and pictures.

From bytes to a table:

    source_texts.py   the JSON of a job becomes sources; stored.py does it from a file
    measurements.py   the classes of what is in them; each prediction is a slice of the bytes
    layouts.py        predictions become numbers, many at once
    rows.py           predictions become rows, whose columns have names
    columns.py        rows become columns, wide or long; schema.py has their types and units
    tables.py         columns become one Arrow table, and a frame of polars or pandas

`predictions.py` has what users hold, `Predictions`, and `views.py` what it can be made into.
`blocks.py` gives rows to what adds them up: `summary.py`, and `timelines.py`, which `charts.py`
draws. `failures.py` has what gives no rows.
"""
