"""How a bulk run is done: one frozen object that travels from the caller to the pipeline.

It knows no kind of work. Methods that start runs make one of their arguments and hand it on.
"""

from __future__ import annotations

from typing import Any, Self, TypedDict

from attrs import Attribute, evolve, field

from humeai_async._base.base_values import as_base
from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.arguments import MOST_SOURCES, check_number, check_seconds


def _seconds(value: Any) -> Any:
    """Make a number of any type a plain one; leave the rest to the check."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _in_job(_: object, attribute: Attribute[int], value: int) -> None:
    check_number(attribute.name, value, least=1, most=MOST_SOURCES)


def _positive(_: object, attribute: Attribute[int], value: int) -> None:
    check_number(attribute.name, value, least=1)


def _length(_: object, attribute: Attribute[Any], value: float | None) -> None:
    check_seconds(attribute.name, value)


def _truth(_: object, attribute: Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        name = attribute.name
        raise InvalidArgumentError(f"{name} must be True or False, not {value!r}", field=name)


class BulkFields(TypedDict, total=False):
    """Fields of `BulkOptions`, given as arguments to what starts a run."""

    job_size: int
    jobs_at_once: int
    timeout: float | None
    retry_failed: bool
    group_wait: float
    search_patience: float
    outage_patience: float | None


@frozen(kw_only=True)
class BulkOptions:
    """How a bulk run is done; see `hume.batch.predict`.

    Raises:
        InvalidArgumentError: A value is out of range.
    """

    job_size: int = field(default=MOST_SOURCES, converter=as_base, validator=_in_job)
    """Sources in one job, 1 to 100."""
    jobs_at_once: int = field(default=32, converter=as_base, validator=_positive)
    """Jobs in flight at once; Hume queues 500 at most."""
    timeout: float | None = field(default=None, converter=_seconds, validator=_length)
    """Seconds to wait for one job; `None` is without limit."""
    retry_failed: bool = field(default=False, validator=_truth)
    """Try the sources again that failed at earlier starts with the same ledger. Results that
    were paid for but could not be read are read or fetched again, not bought again."""
    group_wait: float = field(default=1.0, converter=_seconds, validator=_length)
    """Seconds that a source waits for others to fill its job, at most."""
    search_patience: float = field(default=300.0, converter=_seconds, validator=_length)
    """Seconds that a submission without a response is searched for among the service's jobs
    before it is sent again. They count from the submission, over restarts."""
    outage_patience: float | None = field(default=600.0, converter=_seconds, validator=_length)
    """Seconds that a run waits for a service that cannot be reached, or fails, to come back;
    then its sources stay open. `None` is without limit."""

    @classmethod
    def of(cls, options: BulkOptions | None, **given: Any) -> Self:
        """Return the options with those of the given values that are not `UNSET`.

        Raises:
            InvalidArgumentError: A value is out of range, or `options` is something else.
        """
        if options is not None and not isinstance(options, cls):
            kind = type(options).__name__
            raise InvalidArgumentError(f"options must be BulkOptions, not {kind}", field="options")
        changes = {name: value for name, value in given.items() if value is not UNSET}
        return evolve(options or cls(), **changes)
