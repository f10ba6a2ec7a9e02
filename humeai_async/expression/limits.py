"""Every documented limit of Expression Measurement, and the checks that keep to them.

A refusal carries the service's own code. Nothing here sends; uploads and sockets call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from humeai_async._base.base_values import is_number
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import check_number
from humeai_async.types.expression import FaceSettings

# Hume writes MB, and MiB where it means that: the smaller reading is safe.
LARGEST_BODY = 25_000_000
"""Bytes of a whole upload, with everything around the files."""
ENVELOPE = 1_000
"""Bytes of an upload around one file, at most."""
LARGEST_IMAGE = 2_000_000
"""Bytes of one image."""
MOST_PIXELS = 3840 * 2160
"""Pixels of one image."""
MOST_TOGETHER = 100
"""Images of a bulk run in one request; from 30 on more of them cost no less each."""
TIMER_MS = (3_000, 10_000)
"""Milliseconds of speech between two measurements, from and to."""
SHORTEST_BILL = 10.0
"""Seconds that a run with any media is billed at least."""
FRAMES_PER_SECOND = 3.0
"""Frames of video that a session takes."""

AUDIO_UNREADABLE = "audio_decode_failed"
AUDIO_TOO_LONG = "audio_too_long"
CONFIG_INVALID = "config_invalid"
IMAGE_TOO_LARGE = "image_too_large"
IMAGE_UNREADABLE = "image_decode_failed"
INVALID_AUDIO_FRAME = "invalid_audio_frame"
INVALID_IMAGE_FRAME = "invalid_image_frame"
UNSUPPORTED = "unsupported_media_type"


def refuse_config(reason: str, field: str) -> InvalidArgumentError:
    """Return the error for a setting that the service would refuse."""
    return InvalidArgumentError(reason, field=field, code=CONFIG_INVALID)


def check_timer(value: object) -> None:
    """Refuse a time between measurements that is out of range.

    Raises:
        InvalidArgumentError: `code` is `config_invalid`.
    """
    least, most = TIMER_MS
    if value is not None and (type(value) is not int or not least <= value <= most):
        raise refuse_config(
            f"measurement_timer_ms must be from {least} to {most}, not {value!r}",
            "measurement_timer_ms",
        )


def check_images(per_request: int) -> int:
    """Return how many images may share a request.

    Raises:
        InvalidArgumentError: It is out of range.
    """
    return check_number("images_per_request", per_request, least=1, most=MOST_TOGETHER)


def check_face(
    face: FaceSettings | Mapping[str, Any] | None, *, is_session: bool = False
) -> dict[str, Any]:
    """Return settings for faces as they are sent.

    Args:
        face: The settings, or a dict of the same keys.
        is_session: Whether they are for a session, which has no `face_state`.

    Raises:
        InvalidArgumentError: A value is out of range, or a key unknown; the service would refuse
            the whole request for it.
    """
    if face is None:
        return {}
    if not isinstance(cast("object", face), (FaceSettings, Mapping)):
        raise refuse_config("face must be a FaceSettings or a dict", "face")
    plain = dict(codec.to_plain(face))
    known = {"threshold", "min_size"} if is_session else {
        "threshold", "min_size", "return_face_state",
    }  # fmt: skip
    if unknown := sorted(str(key) for key in plain.keys() - known):
        raise refuse_config(f"face has no setting {unknown[0]!r} here", "face")
    threshold, size = plain.get("threshold"), plain.get("min_size")
    if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
        raise refuse_config(f"threshold must be from 0 to 1, not {threshold!r}", "face")
    if size is not None and (type(size) is not int or size < 1):
        raise refuse_config(f"min_size must be 1 or more, not {size!r}", "face")
    try:
        codec.structure(FaceSettings, plain)
    except DecodeError as problem:
        reason = problem.message
    else:
        return {name: value for name, value in plain.items() if value is not None}
    raise refuse_config(f"face: {reason}", "face")
