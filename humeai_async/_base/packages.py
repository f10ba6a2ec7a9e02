"""Packages of the extras, imported when they are needed and not before.

A base install has none of them, and importing the library imports none of them.
"""

from __future__ import annotations

import importlib
from typing import Any

from humeai_async.errors import MissingPackageError

_ADVICE = {
    "altair": "pictures need Altair: pip install 'humeai_async[report]'",
    "av": "this sound has to be converted to 16 kHz mono, which needs the package av: "
    "pip install 'humeai_async[media]'",
    "distributed": "runs on Dask need distributed: pip install 'humeai_async[dask]'",
    "fsspec": "results in an object store need fsspec and the store's own package, such as "
    "pip install fsspec s3fs",
    "opentelemetry": "OpenTelemetry needs opentelemetry-api: pip install 'humeai_async[otel]'",
    "pandas": "to_pandas needs pandas: pip install pandas",
    "polars": "to_polars needs polars: pip install polars",
    "pyarrow": "tables need pyarrow: pip install 'humeai_async[arrow]'",
    "redis": "a shared quota and a shared ledger need redis: pip install 'humeai_async[redis]'",
    "vl_convert": "a report needs vl-convert: pip install 'humeai_async[report]'",
}
"""What to install, by the names of packages."""


def load_package(name: str) -> Any:
    """Import a package of an extra, or a module in it.

    Raises:
        MissingPackageError: It is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        message = _ADVICE[name.partition(".")[0]]
    raise MissingPackageError(message)
