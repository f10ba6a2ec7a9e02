"""The folder of a run: a local path, or a place in an object store, by the same few steps.

Everything in it is written whole or not at all: a reader never sees half a file. Local paths
need nothing else; other places are fsspec's, each with a package of its own. Nothing here is
asynchronous: callers are in worker threads. It knows no sources and no results.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shutil
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath
from typing import Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar
from urllib.request import url2pathname

from humeai_async._base import atomic_files
from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.errors import ConfigurationError, HumeError, SaveError

IntoFolder: TypeAlias = str | os.PathLike[str]
"""A folder of the file system, or a URL that fsspec knows, such as `s3://bucket/run-7`."""

_WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "r2", "memory"}
)
"""Schemes of stores that show an object only once it is whole."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
"""What file systems say that have no second names for a file."""


_P = ParamSpec("_P")
_T = TypeVar("_T")
_S = TypeVar("_S", bound="Store")


def _explained(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], _T]:
    """Have a method raise a `SaveError` for whatever goes wrong with a store."""

    @functools.wraps(method)
    def explained(store: _S, /, *given: _P.args, **named: _P.kwargs) -> _T:
        try:
            return method(store, *given, **named)
        except HumeError:
            raise
        except Exception as problem:  # noqa: BLE001 - each store has errors of its own
            reason = _reason_of(problem)
        # Here, so that no frame of a store's package, which may hold credentials, stands behind it.
        place = without_queries(store.place)
        raise SaveError(f"{place} cannot be used: {reason}")

    return explained


def _reason_of(problem: Exception) -> str:
    reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return without_queries(reason)[:300]


class Store(Protocol):
    """The folder of a run; names in it have slashes."""

    place: str
    """Where it is, for messages and for other processes."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content; `None` if it is not there."""
        ...

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Put a file in place, whole."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Put a file in place if none is there; returns whether it was so."""
        ...

    def put_file(self, name: str, file: Path) -> None:
        """Put a local file in place, whole; it may be gone afterwards."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order; none where it is not there."""
        ...


def open_store(into: IntoFolder) -> Store:
    """Return the folder of a run.

    Raises:
        ConfigurationError: It is neither a path nor a URL that fsspec knows.
        MissingPackageError: The store's package is not installed.
    """
    try:
        text: object = os.fspath(into)
    except TypeError:
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigurationError(f"{into!r} is no folder: give a path, or a URL such as s3://...")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStore(Path(text).absolute())
    if scheme in {"file", "local"}:
        return LocalStore(Path(url2pathname(rest)).absolute())
    return ObjectStore(text, scheme)


class LocalStore:
    """A folder of the file system, which workers on other machines may have mounted too.

    Args:
        folder: Where; it is made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place: str = str(folder)

    @_explained
    def read(self, name: str) -> bytes | None:
        """Return a file's content; `None` if it is not there."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    @_explained
    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.folder / name).is_file()

    @_explained
    def put(self, name: str, content: bytes) -> None:
        """Put a file in place, whole."""
        with self._partial(name, content) as partial:
            atomic_files.put_in_place(partial, self.folder / name)

    @_explained
    def put_new(self, name: str, content: bytes) -> bool:
        """Put a file in place if none is there; returns whether it was so."""
        with self._partial(name, content) as partial:
            try:
                os.link(partial, self.folder / name)  # refuses what is there, unlike a rename
            except FileExistsError:
                return False
            except OSError as problem:
                if problem.errno not in _NO_LINKS:
                    raise
                if (self.folder / name).exists():
                    return False
                partial.replace(self.folder / name)
            atomic_files.sync_folder(partial.parent)
        return True

    @_explained
    def put_file(self, name: str, file: Path) -> None:
        """Put a local file in place, whole; it may be gone afterwards."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = atomic_files.partial_name(target)
        try:
            shutil.move(file, partial)
            with partial.open("rb+") as opened:
                atomic_files.flush(opened)
            atomic_files.put_in_place(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    @_explained
    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order; none where it is not there."""
        try:
            found = [one.name for one in os.scandir(self.folder / folder) if one.is_file()]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    @contextlib.contextmanager
    def _partial(self, name: str, content: bytes) -> Generator[Path]:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = atomic_files.partial_name(target)
        try:
            with atomic_files.create_partial(partial, target) as opened:
                opened.write(content)
                atomic_files.flush(opened)
            yield partial
        finally:
            partial.unlink(missing_ok=True)


class ObjectStore:
    """A place that fsspec knows; its credentials come from where its package looks for them.

    Args:
        url: Where.
        scheme: What stands before `://`.
    """

    def __init__(self, url: str, scheme: str) -> None:
        self.place = url
        self._is_whole = scheme in _WHOLE
        fsspec = load_package("fsspec")
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except Exception as problem:  # noqa: BLE001 - each store has errors of its own
            reason = _reason_of(problem)
        else:
            self._root = PurePosixPath(root)
            return
        raise ConfigurationError(f"{without_queries(url)} cannot be used: {reason}")

    @_explained
    def read(self, name: str) -> bytes | None:
        """Return a file's content; `None` if it is not there."""
        try:
            content: bytes = self._files.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return content

    @_explained
    def has(self, name: str) -> bool:
        """Whether a file is there."""
        self._files.invalidate_cache()
        try:
            found = self._files.info(self._path(name))
        except FileNotFoundError:
            return False
        return bool(found["type"] == "file")

    @_explained
    def put(self, name: str, content: bytes) -> None:
        """Put a file in place, whole."""
        with self._target(name) as target:
            self._files.pipe_file(target, content)

    @_explained
    def put_new(self, name: str, content: bytes) -> bool:
        """Put a file in place if none is there; returns whether it was so."""
        path = self._path(name)
        self._files.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        try:
            self._files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True

    @_explained
    def put_file(self, name: str, file: Path) -> None:
        """Put a local file in place, whole."""
        with self._target(name) as target:
            self._files.put_file(str(file), target)

    @_explained
    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order; none where it is not there."""
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return []
        names = [PurePosixPath(one["name"]).name for one in found if one["type"] == "file"]
        return sorted(name for name in names if not name.startswith("."))

    def _path(self, name: str) -> str:
        return str(self._root / name)

    @contextlib.contextmanager
    def _target(self, name: str) -> Generator[str]:
        """Give the path to write to: the file's own where it shows only once it is whole."""
        path = PurePosixPath(self._path(name))
        self._files.makedirs(str(path.parent), exist_ok=True)
        if self._is_whole:
            yield str(path)
            return
        partial = str(path.with_name(f".{path.name}.{secrets.token_hex(4)}.part"))
        yield partial
        self._files.mv(partial, str(path))
