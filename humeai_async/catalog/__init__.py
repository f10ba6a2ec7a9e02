"""Every endpoint of the service, one constant each: a table a product.

Resources import the table that they need, and with it no types but its own. `ALL`, `TABLE` and
the constants of all tables are here too, for whoever wants the whole; the tables are imported
when the first of those names is used. No module outside of this folder holds a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from humeai_async.http.endpoint import Endpoint

    ALL: tuple[Endpoint[Any], ...]
    TABLE: tuple[Endpoint[Any], ...]

_CATEGORIES = (
    "chat", "batch", "chat_groups", "chats", "configs", "datasets", "files", "jobs", "models",
    "privacy", "prompts", "tools", "expression", "decisions",
)  # fmt: skip
"""The categories of the documented table, in its order, and those of the newer products."""


def __getattr__(name: str) -> Any:
    """Import the tables with the first name that is asked of them."""
    if not name.isupper() or name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "ALL" not in globals():
        globals().update(_collect())
    try:
        return globals()[name]
    except KeyError:
        reason = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(reason)


def _collect() -> dict[str, Any]:
    """Collect the constants of all tables, so that no second list of them has to be kept."""
    from humeai_async.catalog import (
        batch,
        chat,
        custom_model_jobs,
        custom_models,
        decisions,
        evi,
        evi_chats,
        expression,
        expression_sockets,
        results,
    )
    from humeai_async.http.endpoint import Endpoint

    tables = (
        batch, results, evi, evi_chats, custom_models, custom_model_jobs, chat, expression,
        expression_sockets, decisions,
    )  # fmt: skip
    constants: dict[str, Any] = {
        name: value
        for table in tables
        for name, value in vars(table).items()
        if isinstance(value, Endpoint)
    }

    def order(endpoint: Endpoint[Any]) -> tuple[bool, int]:
        return endpoint.row is None, _CATEGORIES.index(endpoint.name.partition(".")[0])

    every = tuple(sorted(constants.values(), key=order))
    table = tuple(endpoint for endpoint in every if endpoint.row is not None)
    return {**constants, "ALL": every, "TABLE": table}
