"""Packages of the extras, imported when they are needed and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from humeai_async.errors import MissingPackageError


def load_package(package: str, advice: Mapping[str, str]) -> Any:
    """Import a package of an extra, or a module in it.

    Args:
        package: Its name.
        advice: What to say where it is not installed, by the names of packages.

    Raises:
        MissingPackageError: It is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        message = advice[package.partition(".")[0]]
    raise MissingPackageError(message)
