"""The 63 rows of the documented table, as the LowCodeAPI gateway routes them.

Only methods and paths; nothing here knows what an endpoint does. Both gateways find their
way with it.
"""

from __future__ import annotations

import re

from attrs import frozen

from humeai_async.testing.exchange import Record

_PARAMETER = re.compile(r"\{(\w+)\}")
_TABLE = """
GET POST /v0/batch/jobs
GET /v0/batch/jobs/{id}
GET /v0/batch/jobs/{id}/predictions
GET /v0/batch/jobs/{id}/artifacts
GET /v0/evi/chat_groups
GET /v0/evi/chat_groups/{id}/events
GET /v0/evi/chats
GET /v0/evi/chats/{id}
GET POST /v0/evi/configs
GET POST DELETE PATCH /v0/evi/configs/{id}
GET DELETE PATCH /v0/evi/configs/{id}/version/{version}
GET POST /v0/registry/datasets
GET POST DELETE /v0/registry/datasets/{id}
GET /v0/registry/datasets/{id}/versions
GET /v0/registry/datasets/{id}/files
GET /v0/registry/datasets/version/{id}
GET /v0/registry/datasets/version/{id}/files
GET POST /v0/registry/files
POST /v0/registry/files/upload
GET DELETE PATCH /v0/registry/files/{id}
GET /v0/registry/files/{id}/predictions
POST /v0/registry/v0/batch/jobs/tl/train
POST /v0/registry/v0/batch/jobs/tl/inference
GET /v0/registry/models
GET PATCH /v0/registry/models/{id}
GET /v0/registry/models/version
GET PATCH /v0/registry/models/version/{id}
GET PATCH /v0/evi/privacy/settings
DELETE /v0/evi/privacy
GET POST /v0/evi/prompts
GET POST DELETE PATCH /v0/evi/prompts/{id}
GET DELETE PATCH /v0/evi/prompts/{id}/version/{version}
GET POST /v0/evi/tools
GET POST DELETE PATCH /v0/evi/tools/{id}
GET DELETE PATCH /v0/evi/tools/{id}/version/{version}
"""


@frozen
class Row:
    """One row."""

    method: str
    path: str
    """Path at Hume, such as `/v0/evi/configs/{id}/version/{version}`."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the ids in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def old_path(self) -> str:
        """The old format: parameters stand in the path by name, their values in the query."""
        return _PARAMETER.sub(r"\1", self.path)


ROWS: tuple[Row, ...] = tuple(
    Row(method, path)
    for *methods, path in map(str.split, _TABLE.strip().split("\n"))
    for method in methods
)
"""The table, in its order; row 1, the chat, is filed by the gateway under List jobs' path."""

_OLD = {(row.method, row.old_path): row for row in ROWS}
_NEW = tuple(
    (row, re.compile(_PARAMETER.sub(r"([^/]+)", row.path)))
    for row in sorted(ROWS, key=lambda row: len(row.parameters))
    if row.parameters
)


def find_old(method: str, path: str) -> Row | None:
    """Find the row of an old-format path, or of one without parameters."""
    return _OLD.get((method, path))


def find_new(method: str, path: str) -> tuple[Row, tuple[str, ...]] | None:
    """Find the row of a new-format path, with the values of its parameters.

    `models/version` and `datasets/version/{id}` win over ids, as at Hume.
    """
    for row, pattern in _NEW:
        match = pattern.fullmatch(path)
        if match and row.method == method:
            return row, match.groups()
    return None


def describe() -> Record:
    """Return the rows as the open-source gateway defines them, but for queries and bodies."""
    paths: dict[str, Record] = {}
    for row in ROWS:
        parameters: list[Record] = [
            {"name": name, "in": "path", "schema": {}} for name in row.parameters
        ]
        operation: Record = {"parameters": parameters, "security": [{"ApiToken": []}]}
        paths.setdefault(row.old_path, {})[row.method.lower()] = operation
    return {"openapi": "3.0.0", "info": {"description": ""}, "paths": paths}
