"""The search for a job whose submission was not answered, in the service's list of jobs.

A job is the lost one only if its whole request is the one that was planned: settings, sources,
their order, the content of files; and if it was made after the plan, by the service's clock.
What cannot be read is a doubt, raised as an error, and never a "no". It reads the list's JSON by
itself: an entry that the types do not know must not look like one that is not there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, cast

from attrs import define

from humeai_async.batch.url_forms import mark_of
from humeai_async.bulk.ledger_records import MARK_SIZE, Plan
from humeai_async.bulk.work import CLOCK_SLACK_MS, ServiceClock
from humeai_async.catalog import batch as catalog
from humeai_async.errors import DecodeError
from humeai_async.http import codec
from humeai_async.http.endpoint import fill
from humeai_async.http.session import Session
from humeai_async.types.batch import InferenceRequest
from humeai_async.types.json import is_object

LIMIT = 50
"""Jobs in one request; as many as the service shows at once."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "face": {"fps_pred": 3, "prob_threshold": 0.99, "identify_faces": False, "min_face_size": 60,
             "facs": None, "descriptions": None, "save_faces": False},
    "burst": {},
    "prosody": {"granularity": "utterance", "window": None, "identify_speakers": False},
    "language": {"granularity": "word", "sentiment": None, "toxicity": None,
                 "identify_speakers": False},
    "ner": {"identify_speakers": False},
    "facemesh": {},
}  # fmt: skip
"""What the service fills in where a model's setting is left out, as documented."""
_TRANSCRIPTION = {"language": None, "identify_speakers": False, "confidence_threshold": 0.5}


async def newest_jobs(session: Session, clock: ServiceClock) -> list[dict[str, Any]]:
    """Return the newest jobs that the service has, as JSON. Costs one request.

    Raises:
        DecodeError: The list, or an entry's id, cannot be read.
    """
    return await _page(session, clock, LIMIT)


async def find_job(
    session: Session,
    clock: ServiceClock,
    plan: Plan,
    request: InferenceRequest,
    known: Collection[str],
) -> str | None:
    """Look for a planned job.

    Args:
        session: Makes the calls.
        clock: Learns the service's time from them.
        plan: What was planned.
        request: The settings that all jobs of the run are sent with.
        known: Ids of jobs that are others.

    Returns:
        Its id; `None` if the service does not list it.

    Raises:
        DecodeError: The list cannot be read to the end, or an entry that may be the job cannot.
    """
    sent = codec.to_plain(request)
    doubt: DecodeError | None = None
    async for entry in _since(session, clock, plan):
        if entry["job_id"] in known:
            continue
        try:
            if _is_planned(entry, plan, sent):
                return str(entry["job_id"])
        except DecodeError as problem:
            doubt = problem
    if doubt is not None:
        raise doubt
    return None


def created_ms(entry: Mapping[str, Any]) -> int | None:
    """Return when a job was made, by the service's clock, if its entry says so."""
    state = entry.get("state")
    created = state.get("created_timestamp_ms") if is_object(state) else None
    is_number = isinstance(created, (int, float)) and not isinstance(created, bool)
    return int(cast("float", created)) if is_number else None


async def _since(
    session: Session, clock: ServiceClock, plan: Plan
) -> AsyncIterator[dict[str, Any]]:
    """Give all jobs that may have been made after a plan, newest first.

    Raises:
        DecodeError: The list cannot be read, or not all of it was shown.
    """
    seen: set[str] = set()
    way = _WayBack()
    while True:
        found = await _page(session, clock, way.limit, created_before=way.edge)
        fresh = [one for one in found if one["job_id"] not in seen]
        seen.update(one["job_id"] for one in fresh)
        least = clock.earliest_ms(plan)
        times = [created for one in found if (created := created_ms(one)) is not None]
        for one in fresh:
            made = created_ms(one)
            if made is None or made > least:
                yield one
        if times and times[-1] - times[0] > CLOCK_SLACK_MS:
            # The oldest come first. They prove something only if they are all that there are.
            newer = await _page(session, clock, LIMIT, created_after=max(times))
            if len(found) >= LIMIT or any(one["job_id"] not in seen for one in newer):
                reason = "the list of jobs is not newest first, as it was asked for"
                raise DecodeError(reason, path="$")
        if times and min(times) <= least:
            break
        if not way.go_on(times, count=len(found), has_fresh=bool(fresh)):
            break
    if not way.is_whole:
        reason = "more jobs were made at one time than the service lists"
        raise DecodeError(reason, path="$")


@define
class _WayBack:
    """The way through a list of jobs, newest first, a request at a time."""

    limit: int = LIMIT
    """Jobs to ask for."""
    edge: int | None = None
    """Time before which they are to be made; `None` is now."""
    is_whole: bool = True
    """Whether no jobs were passed over, as far as is known."""
    _most: int = 0
    """Jobs that came at once, at most."""
    _is_past: bool = False
    """Whether the last request left those of one time behind."""

    def go_on(self, times: Sequence[int], *, count: int, has_fresh: bool) -> bool:
        """Say whether the list goes on behind what came last, and where.

        Args:
            times: When the jobs that came were made, as far as they say.
            count: How many came.
            has_fresh: Whether some of them had not come before.

        Raises:
            DecodeError: They say nothing to go by.
        """
        # Fewer than asked for are no end: a service may show fewer at a time than documented.
        most = min(self._most, self.limit)
        if count < max(most, 1) or (not times and count < LIMIT):
            return False
        if not times:
            raise DecodeError("the listed jobs have no creation times to go by", path="$")
        self._most = max(self._most, count)
        # Times that are cut to whole seconds leave open which of that second were shown.
        is_cut = all(created % 1000 == 0 for created in times)
        self.edge = min(times) + (1000 if is_cut else 1)
        if has_fresh:
            self.limit, self._is_past = LIMIT, False
        elif count >= self.limit:
            self.limit += LIMIT  # so many were made at one time
        else:
            # It shows no more of them than this: those that were made before may still be read.
            self.is_whole = self.is_whole and count < LIMIT
            if self._is_past:
                return False  # it does not go back in time
            self.edge, self._is_past = min(times), True
        return True


async def _page(
    session: Session, clock: ServiceClock, limit: int, **bounds: int | None
) -> list[dict[str, Any]]:
    """Return what one request lists; a bound is a `when` of the service, with its milliseconds."""
    query: dict[str, Any] = {"limit": limit, "sort_by": "created", "direction": "desc"}
    for when, timestamp_ms in bounds.items():
        if timestamp_ms is not None:
            query |= {"when": when, "timestamp_ms": timestamp_ms}
    response = await session.send(fill(catalog.BATCH_LIST_JOBS, query=query))
    clock.observe(response)
    found = codec.parse(response.body)
    if not isinstance(found, list):
        raise DecodeError("the list of jobs is not an array", path="$")
    entries: list[dict[str, Any]] = []
    for place, entry in enumerate(cast("list[object]", found)):
        if not is_object(entry) or not isinstance(entry.get("job_id"), str):
            raise DecodeError("an entry of the list of jobs has no id", path=f"$[{place}]")
        entries.append(dict(entry))
    for entry in entries:
        if (created := created_ms(entry)) is not None:
            clock.see(created)
    return entries


def _is_planned(entry: Mapping[str, Any], plan: Plan, sent: Mapping[str, Any]) -> bool:
    """Whether a job has the very request of a plan.

    Raises:
        DecodeError: The entry does not say what was requested.
    """
    if entry.get("type", "INFERENCE") != "INFERENCE":
        return False
    request = entry.get("request")
    if not is_object(request) or not any(request.get(kind) for kind in ("urls", "text", "files")):
        if is_object(request) and request.get("registry_files"):
            return False
        raise DecodeError("a job in the list does not state its request", path="$.request")
    return (
        _has_sources(request, plan)
        and has_settings(request, sent)
        and not request.get("callback_url")
        and not request.get("notify")
        and not request.get("registry_files")
    )


def has_settings(request: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether a request, as the service tells it, has the models and settings that were sent."""
    return _are_same_models(sent.get("models"), request.get("models")) and (
        _is_same_transcription(sent, request)
    )


def _has_sources(request: Mapping[str, Any], plan: Plan) -> bool:
    """Whether a request has the sources of a plan, in their order, and no others."""
    if any(request.get(kind) for kind in ("urls", "text", "files") if kind != plan.kind):
        return False
    given = request.get(plan.kind)
    if not isinstance(given, list) or len(sources := cast("list[object]", given)) != len(plan.keys):
        return False
    if plan.kind == "files":
        # Parts of a form may be told in any order.
        found = sorted(str(one.get("md5sum")) if is_object(one) else "" for one in sources)
        return found == sorted(mark.hex() for mark in plan.marks)
    texts = [one for one in sources if isinstance(one, str)]
    return [mark_of(plan.kind, one, MARK_SIZE) for one in texts] == list(plan.marks)


def _are_same_models(sent: object, listed: object) -> bool:
    """Whether models are those that were sent, with what the service fills in."""
    listed_models = _present(listed)
    if not is_object(sent):
        # Left out, they are all run.
        is_whole = not listed_models or set(listed_models) >= set(_DEFAULTS)
        return is_whole and all(
            _are_same_settings({}, listed_models[name], _DEFAULTS.get(name, {}))
            for name in listed_models
        )
    sent_models = _present(sent)
    return set(sent_models) == set(listed_models) and all(
        _are_same_settings(sent_models[name], listed_models[name], _DEFAULTS.get(name, {}))
        for name in sent_models
    )


def _is_same_transcription(sent: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    if "transcription" in sent and sent["transcription"] is None:
        return request.get("transcription") is None  # switched off
    if "transcription" in request and request["transcription"] is None:
        return False
    return _are_same_settings(
        sent.get("transcription") or {}, request.get("transcription") or {}, _TRANSCRIPTION
    )


def _are_same_settings(sent: object, listed: object, defaults: Mapping[str, Any]) -> bool:
    """Whether all that was sent is told, and all else that is told is what is filled in."""
    if not is_object(sent) or not is_object(listed):
        return sent == listed
    given, found = _present(sent), _present(listed)
    for name, value in found.items():
        if name in given:
            is_same = _are_same_settings(given[name], value, {})
        else:
            # A setting that is not known here may be new, and filled in.
            is_same = name not in defaults or value == defaults[name]
        if not is_same:
            return False
    return set(given) <= set(found)


def _present(value: object) -> dict[str, Any]:
    if not is_object(value):
        return {}
    return {name: inner for name, inner in value.items() if inner is not None}
