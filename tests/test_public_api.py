"""The public face: what it is, and that it is described."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import humeai_async
from humeai_async import HumeAI, catalog
from humeai_async.http.endpoint import Endpoint

RESOURCES = (
    "batch", "chat", "chat_groups", "chats", "configs", "datasets", "files", "jobs", "models",
    "privacy", "prompts", "tools",
)  # fmt: skip


def public_modules() -> list[ModuleType]:
    """Import the modules that users import from."""
    names = ["humeai_async", "humeai_async.testing"]
    types = importlib.import_module("humeai_async.types")
    names += [found.name for found in pkgutil.walk_packages(types.__path__, "humeai_async.types.")]
    return [importlib.import_module(name) for name in names]


def public_names(module: ModuleType) -> list[str]:
    """Name what a module offers: its `__all__`, or what it defines itself."""
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the public methods and properties of a class, inherited ones of ours included."""
    for name, value in inspect.getmembers(cls):
        if name.startswith("_"):
            continue
        owner = next((c for c in cls.__mro__ if name in vars(c)), None)
        if owner is None or not owner.__module__.startswith("humeai_async"):
            continue
        if inspect.isfunction(value) or inspect.ismethod(value) or isinstance(value, property):
            yield name, value


def class_of(resource: str) -> Any:
    client = HumeAI(api_key="key", base_url="http://127.0.0.1:9")
    return getattr(client, resource).__class__


def test_everything_listed_is_there() -> None:
    for module in public_modules():
        for name in public_names(module):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_every_public_name_is_described() -> None:
    for module in public_modules():
        bare: list[str] = []
        for name in public_names(module):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                if not inspect.getdoc(value):
                    bare.append(name)
                if inspect.isclass(value):
                    bare += [
                        f"{name}.{n}" for n, member in members(value) if not inspect.getdoc(member)
                    ]
        assert bare == []


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_method_is_described(name: str) -> None:
    resource = class_of(name)
    assert [n for n, member in members(resource) if not inspect.getdoc(member)] == []


TABLE: list[Endpoint[Any]] = [e for e in catalog.ALL if e.row is not None]


def test_every_row_of_the_table_is_a_method_that_links_to_its_reference() -> None:
    for endpoint in TABLE:
        resource, method = endpoint.name.split(".")
        found = getattr(class_of(resource), method)
        doc = " ".join((inspect.getdoc(found) or "").split())
        shared = found.__qualname__.startswith("VersionedResource")
        assert "Source: https://dev.hume.ai/" in doc, endpoint.name
        assert shared or endpoint.source in doc, endpoint.name


def test_the_version_of_the_package_is_known() -> None:
    assert importlib.metadata.version("humeai_async")


def test_all_names_of_the_package_are_sorted_and_once() -> None:
    assert sorted(set(humeai_async.__all__)) == sorted(humeai_async.__all__)
