"""Packages of the extras, imported when they are needed and not before.

A base install has none of them, and importing the library imports none of them.
"""

from __future__ import annotations

from typing import Any

from humeai_async._base.packages import load_package

_ADVICE = {
    "redis": "a shared quota and a shared ledger need redis: pip install 'humeai_async[redis]'",
    "distributed": "runs on Dask need distributed: pip install 'humeai_async[dask]'",
    "fsspec": "results in an object store need fsspec and the store's own package, such as "
    "pip install fsspec s3fs",
}


def load(package: str) -> Any:
    """Import a package of an extra.

    Raises:
        MissingPackageError: It is not installed; the message says what to install.
    """
    return load_package(package, _ADVICE)
