"""What several processes share through one Redis or Valkey."""

from __future__ import annotations

from humeai_async.shared.quota import RedisQuota

__all__ = ["RedisQuota"]
