"""The mark for "leave this key out", as apart from `None`, which is sent as null.

It knows nothing of any endpoint. Request types and resource methods use it where the
service tells a missing key and a null apart.
"""

from __future__ import annotations

import enum
from typing import Final


class Unset(enum.Enum):
    """Type of `UNSET`; a one-member enum, so type checkers can narrow it away."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET
"""Leave the key out of the request."""
