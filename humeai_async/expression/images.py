"""Images of a bulk run: how they share a request, and what each one's own result is.

The service measures the images of a request one by one and numbers their faces together. What is
told here of an image holds nothing of the others. Nothing here sends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import evolve

from humeai_async._base.base_values import is_number
from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.ledger_records import Plan
from humeai_async.bulk.single_requests import key_of_content, read_part
from humeai_async.bulk.work import REFUSED, Item, Reading
from humeai_async.errors import DecodeError
from humeai_async.expression.limits import ENVELOPE, IMAGE_TOO_LARGE, LARGEST_BODY
from humeai_async.expression.uploads import refuse, why_no_image
from humeai_async.http import codec
from humeai_async.http.multipart import LARGEST_FILE, File, read_first, read_whole
from humeai_async.media.formats import HEAD, PICTURES, kind_of
from humeai_async.types.expression import AudioResult, Face, ImageMeasurement, ImagesResult
from humeai_async.types.json import is_object
from humeai_async.types.paging import Items

Measured: TypeAlias = AudioResult | ImagesResult
"""What comes of a recording, or of an image."""

IMAGE = "image"
"""Kind of an image in a run."""
FRAME_SECONDS = 1 / 3
"""Seconds that an image is billed."""
_ROOM = LARGEST_BODY - ENVELOPE
"""Bytes of the images of a request, with what stands around each."""
_DEFAULTS: Mapping[str, Any] = {"threshold": 0.9, "min_size": 60}


async def is_picture(source: File) -> bool:
    """Whether a source is a picture of some format, by its first bytes.

    Raises:
        InvalidArgumentError: It cannot be read.
    """
    part = await read_part(source, largest=1 << 62)
    return kind_of(await read_first(part, HEAD)) in PICTURES


async def identify_image(source: File) -> Item[File]:
    """Say what a picture is; one that the service would refuse has a `problem`.

    Raises:
        InvalidArgumentError: It cannot be read.
    """
    part = await read_part(source, largest=LARGEST_FILE, too_large=IMAGE_TOO_LARGE)
    data = await read_whole(part)
    key = await in_thread(key_of_content, data)
    code, reason = why_no_image(data)
    if reason:
        problem = refuse(f"the image cannot be measured: {reason}", code, "sources")
        return Item(REFUSED, key, source, problem=problem)
    return Item(IMAGE, key, source, share=(len(data) + ENVELOPE) / _ROOM)


def describe_face(face: Mapping[str, Any]) -> str:
    """Return what the results of images depend on, as text; nothing where it is the usual."""
    settings = {**_DEFAULTS, **face}
    return "" if settings == _DEFAULTS else f" faces {codec.encode_request(settings).decode()}"


def has_face_settings(run: Mapping[str, Any], face: Mapping[str, Any]) -> bool:
    """Whether a single run was made with these settings for faces, as far as it says."""
    config = run.get("config")
    found = config.get("face") if is_object(config) else None
    if not is_object(found):
        return True
    settings = {**_DEFAULTS, **face}
    said = {name: found[name] for name in settings if is_number(found.get(name))}
    return all(settings[name] == value for name, value in said.items())


def own_results(response: Any, plan: Plan, items: Sequence[Item[File]]) -> list[Reading[Measured]]:
    """Find the result of each image in that of their request.

    Raises:
        DecodeError: Which result is whose cannot be told.
    """
    found = codec.structure(ImagesResult, response)
    count, measured = len(plan.keys), found.measurements
    by_id = {one.frame_id: one for one in measured}
    told = len(measured) + len(measured.undecodable) + measured.nulls
    if told != count or len(by_id) != len(measured) or not by_id.keys() <= set(range(count)):
        raise DecodeError(
            f"the response has {told} measurements, not one for each of {count} images",
            path="$.measurements",
        )
    if count == 1 and by_id:
        return [Reading(found) for _ in items]
    return [_own_result(found, by_id.get(place), place) for place in _places(plan, items)]


def _own_result(
    found: ImagesResult, measured: ImageMeasurement | None, place: int
) -> Reading[Measured]:
    if measured is None:
        problem = DecodeError(
            "the measurement of this image cannot be read", path=f"$.measurements[{place}]"
        )
        return Reading(error=problem, is_unreadable=True)
    received = None if found.received is None else evolve(found.received, frames=1)
    own = evolve(measured, frame_id=0, faces=_renumbered(measured.faces))
    return Reading(evolve(found, measurements=Items([own]), received=received, face_state=None))


def _renumbered(faces: Sequence[Face]) -> tuple[Face, ...]:
    """Number the faces of an image by themselves: that of another image is nobody here."""
    numbers: dict[int, int] = {}
    return tuple(
        face
        if face.face_id is None
        else evolve(face, face_id=numbers.setdefault(face.face_id, len(numbers)))
        for face in faces
    )


def _places(plan: Plan, items: Sequence[Item[File]]) -> list[int]:
    """Return the place of each source in its request."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(plan.keys):
        places[key].append(place)
    # Without a ledger an image that is given twice is there twice.
    return [places[one.key].pop(0) if places[one.key][1:] else places[one.key][0] for one in items]
