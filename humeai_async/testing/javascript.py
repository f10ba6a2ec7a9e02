"""What happens to JSON that a JavaScript server parses and writes again.

Integers beyond 2**53 are rounded, `1.0` becomes `1`, numbers too large become null, keys
that look like integers move to the front. Only the gateway as recorded uses it.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

_EXACT = 2**53
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
"""A key that counts as a number; longer ones would not fit an index."""
_PLAIN = 1e21
"""From here on JavaScript writes numbers with an exponent."""


def loads(text: str) -> Any:
    """Parse JSON text as JavaScript does.

    Raises:
        ValueError: It is not JSON; NaN and Infinity are not.
    """
    return json.loads(
        text,
        parse_int=_integer,
        parse_float=_number,
        parse_constant=_refuse,
        object_pairs_hook=_ordered,
    )


def dumps(value: object) -> bytes:
    """Write JSON as JavaScript does, without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def _integer(digits: str) -> int | float | None:
    number = int(digits) if len(digits) < 400 else math.inf  # noqa: PLR2004 - far beyond 1e308
    return int(number) if -_EXACT <= number <= _EXACT else _number(digits)


def _number(digits: str) -> int | float | None:
    number = float(digits)
    if math.isinf(number):
        return None
    if number.is_integer() and abs(number) < _PLAIN:
        return int(Decimal(repr(number)))
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    numbers = [key for key in record if _INDEX.fullmatch(key)]
    if not numbers:
        return record
    first = {key: record.pop(key) for key in sorted(numbers, key=int)}
    return {**first, **record}
