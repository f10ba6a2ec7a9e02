"""Configs, prompts and tools: things with versions, and the nine verbs they share.

A `VersionedStore` keeps one kind and knows how it is created, versioned, listed, renamed,
described and deleted. What a kind's fields are is in its `Kind`; `evi` makes those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from attrs import frozen

from humeai_async.testing.exchange import (
    TEXT_TYPE,
    Arrival,
    FakeResponse,
    Record,
    Refusal,
    invalid,
    json_response,
    text_response,
)
from humeai_async.testing.paging import numbered
from humeai_async.testing.world import World


@frozen
class Kind:
    """What differs between the kinds."""

    name: str
    """Such as `prompt`."""
    page: str
    """Name of the list in its pages."""
    required: tuple[str, ...]
    """Fields a new version must have, besides the name that a new thing must have."""
    optional: tuple[str, ...]
    build: Callable[[Record], Record]
    """Turns a posted version into the fields that responses have."""
    typed: bool = True
    """Whether responses carry `version_type`."""
    unlisted: tuple[str, ...] = ()
    """Fields that lists leave out."""
    has_unique_names: bool = False
    """Whether two may not have the same name."""


class VersionedStore:
    """All things of one kind."""

    def __init__(self, world: World, kind: Kind) -> None:
        self.kind = kind
        self.things: dict[str, dict[int, Record]] = {}
        """Versions by number, by id; both in the order they were made."""
        self._world = world
        self._next: dict[str, int] = {}

    def routes(self) -> dict[str, Callable[..., FakeResponse]]:
        """Return the handlers of the nine verbs."""
        base = f"/v0/evi/{self.kind.name}s"
        version = base + "/{id}/version/{version}"
        return {
            f"GET {base}": self.list_things,
            f"POST {base}": self.create,
            f"GET {base}/{{id}}": self.list_versions,
            f"POST {base}/{{id}}": self.create_version,
            f"DELETE {base}/{{id}}": self.delete,
            f"PATCH {base}/{{id}}": self.update_name,
            f"GET {version}": self.get_version,
            f"DELETE {version}": self.delete_version,
            f"PATCH {version}": self.update_description,
        }

    def create(self, arrival: Arrival) -> FakeResponse:
        """POST on the collection: version 0 of a new thing."""
        body = self._checked(arrival, ("name", *self.kind.required))
        self._check_name(body["name"])
        return json_response(self._view(self.add(body)), 201)

    def add(self, body: Record, *, id: str | None = None) -> Record:
        """Keep a new thing, posted or made by another, and return its version 0."""
        fields = self.kind.build(body)
        made = self._world.new_id(self.kind.name) if id is None else id
        self.things[made] = {}
        self._next[made] = 0
        return self._add_version(made, body["name"], fields, body.get("version_description"))

    def create_version(self, arrival: Arrival, id: str) -> FakeResponse:
        """POST on a thing: its next version."""
        name = self._newest(id)["name"]
        body = self._checked(arrival, self.kind.required, without=("name",))
        fields = self.kind.build({**body, "name": name})
        made = self._add_version(id, name, fields, body.get("version_description"))
        return json_response(self._view(made), 201)

    def list_things(self, arrival: Arrival) -> FakeResponse:
        """GET on the collection: newest thing first, and only its newest version by default."""
        wanted = arrival.first("name")
        all_versions = not arrival.flag("restrict_to_most_recent", default=True)
        found: list[Record] = []
        for versions in reversed(self.things.values()):
            newest_first = list(reversed(versions.values()))
            if wanted is None or newest_first[0]["name"] == wanted:
                found.extend(newest_first if all_versions else newest_first[:1])
        return self._page(arrival, found)

    def list_versions(self, arrival: Arrival, id: str) -> FakeResponse:
        """GET on a thing: its newest version, or all of them, newest first."""
        self._newest(id)
        found = list(reversed(self.things[id].values()))
        if arrival.flag("restrict_to_most_recent", default=True):
            found = found[:1]
        return self._page(arrival, found)

    def delete(self, _: Arrival, id: str) -> FakeResponse:
        """DELETE on a thing: all its versions."""
        self._newest(id)
        del self.things[id]
        return self._deleted()

    def update_name(self, arrival: Arrival, id: str) -> FakeResponse:
        """PATCH on a thing: a new name for all versions; the response is plain text."""
        self._newest(id)
        name = arrival.object().get("name")
        if not isinstance(name, str) or not name:
            raise invalid("name is required")
        self._check_name(name, but=id)
        for version in self.things[id].values():
            version["name"] = name
            version["modified_on"] = self._world.now_ms()
        return text_response(f"{self.kind.name.capitalize()} renamed")

    def get_version(self, _: Arrival, id: str, version: str) -> FakeResponse:
        """GET on a version."""
        return json_response(self._view(self.find(id, version)))

    def delete_version(self, _: Arrival, id: str, version: str) -> FakeResponse:
        """DELETE on a version; with its last version a thing is gone."""
        found = self.find(id, version)
        del self.things[id][found["version"]]
        if not self.things[id]:
            del self.things[id]
        return self._deleted()

    def update_description(self, arrival: Arrival, id: str, version: str) -> FakeResponse:
        """PATCH on a version: a new description; the response is the version."""
        found = self.find(id, version)
        description = arrival.object().get("version_description")
        if description is not None and not isinstance(description, str):
            raise invalid("version_description must be a string")
        found["version_description"] = description
        found["modified_on"] = self._world.now_ms()
        return json_response(self._view(found))

    def find(self, id: str, version: str | int | None) -> Record:
        """Return a version, or the newest one.

        Raises:
            Refusal: There is none.
        """
        if version is None:
            return self._newest(id)
        number = int(version) if re.fullmatch(r"[0-9]{1,9}", str(version)) else -1
        found = self.things.get(id, {}).get(number)
        if found is None:
            raise Refusal(404, f"{self.kind.name} {id} version {version} not found", "E0404")
        return found

    def _check_name(self, name: str, *, but: str = "") -> None:
        """Refuse a name that another has. Hume does so; the status is the fake's choice."""
        if self.kind.has_unique_names and any(
            self._newest(other)["name"] == name for other in self.things if other != but
        ):
            raise Refusal(409, f"There is a {self.kind.name} of this name already", "E0409")

    def _newest(self, id: str) -> Record:
        versions = self.things.get(id)
        if not versions:
            raise Refusal(404, f"{self.kind.name} {id} not found", "E0404")
        return versions[max(versions)]

    def _add_version(self, id: str, name: str, fields: Record, description: object) -> Record:
        now = self._world.now_ms()
        versions, number = self.things[id], self._next[id]
        self._next[id] = number + 1
        versions[number] = {
            "id": id,
            "version": number,
            "version_description": description,
            "name": name,
            "created_on": next(iter(versions.values()))["created_on"] if versions else now,
            "modified_on": now,
            **fields,
        }
        return versions[number]

    def _checked(
        self, arrival: Arrival, required: tuple[str, ...], *, without: tuple[str, ...] = ()
    ) -> Record:
        body = arrival.object()
        for name in required:
            if not isinstance(body.get(name), str) or not body[name]:
                raise invalid(f"{name} is required")
        known = {"name", "version_description", *self.kind.required, *self.kind.optional}
        unknown = sorted(body.keys() - (known - set(without)))
        if unknown:
            raise invalid(f"Unknown field {unknown[0]!r}")
        return body

    def _view(self, version: Record) -> Record:
        return {**version, "version_type": "FIXED"} if self.kind.typed else version

    def _list_view(self, version: Record | None) -> Record:
        if version is None:
            return cast("Record", None)
        shown = {name: v for name, v in version.items() if name not in self.kind.unlisted}
        if self.kind.typed:
            is_newest = version is self._newest(version["id"])
            shown["version_type"] = "LATEST" if is_newest else "FIXED"
        return shown

    def _page(self, arrival: Arrival, found: list[Record]) -> FakeResponse:
        page = numbered(arrival, found, self.kind.page, self._list_view)
        if self._world.options.nulls_in_pages and self.kind.typed:
            page[self.kind.page].insert(1, None)
        return json_response(page)

    def _deleted(self) -> FakeResponse:
        status = self._world.options.delete_status
        return FakeResponse(status, b"", {"Content-Type": TEXT_TYPE} if status == 200 else {})  # noqa: PLR2004 - a status
