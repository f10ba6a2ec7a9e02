"""URLs as they may be shown, for the rooms above: `_base/urls.py` has them, and says how."""

from humeai_async._base.urls import repr_host_only, repr_without_query, without_queries

__all__ = ["repr_host_only", "repr_without_query", "without_queries"]
