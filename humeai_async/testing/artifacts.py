"""The archive of a job's artifacts: one folder a source, one CSV a model.

It turns predictions into a ZIP in memory and knows nothing else. The job store calls it.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence

from humeai_async.testing.exchange import Record, as_record

_STAMP = (2025, 5, 12, 14, 0, 0)
"""A fixed time for the members, so that the same job gives the same bytes."""
_LONGEST = 200
"""Characters of a source's name; an archive cannot hold any length."""
_SCORED = ("emotions", "facs", "descriptions", "sentiment", "toxicity")


def pack(predictions: Sequence[Record]) -> bytes:
    """Return the archive of a job's predictions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, element in enumerate(predictions):
            for name, text in _tables(element).items():
                member = zipfile.ZipInfo(f"{_folder(number, element)}/{name}", _STAMP)
                archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _folder(number: int, element: Record) -> str:
    source: Record = element["source"]
    name = source.get("filename") or str(source.get("url", "text")).rsplit("/", 1)[-1]
    return f"{number:03d}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[-_LONGEST:]}"


def _tables(element: Record) -> dict[str, str]:
    results: Record | None = element.get("results")
    if results is None:
        return {"error.txt": str(element.get("error"))}
    rows: dict[str, list[Record]] = {}
    for file in results["predictions"]:
        for model, predicted in file.get("models", {}).items():
            rows.setdefault(model, []).extend(
                _row(file["file"], group["id"], prediction)
                for group in predicted["grouped_predictions"]
                for prediction in group["predictions"]
            )
    return {f"{model}.csv": _table(found) for model, found in rows.items()}


def _row(file: str, group: str, prediction: Record) -> Record:
    row: Record = {"file": file, "id": group}
    for key, value in prediction.items():
        if key in _SCORED:
            prefix = "" if key == "emotions" else f"{key}."
            row.update({prefix + score["name"]: score["score"] for score in value})
        elif (span := as_record(value)) is not None:
            row.update({f"{key}.{part}": number for part, number in span.items()})
        else:
            row[key] = value
    return row


def _table(rows: Sequence[Record]) -> str:
    buffer = io.StringIO(newline="")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(buffer, columns or ["file", "id"])
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
