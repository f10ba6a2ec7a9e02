"""Uploads of Expression Measurement, made right before they are sent.

The service measures whatever it does not recognise as raw samples, so each file is looked at.
Sound of another form is converted off the event loop where that can be done. What is refused
carries the service's own code. Nothing here sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from humeai_async.errors import InvalidArgumentError
from humeai_async.expression.limits import (
    AUDIO_TOO_LONG,
    AUDIO_UNREADABLE,
    ENVELOPE,
    IMAGE_TOO_LARGE,
    IMAGE_UNREADABLE,
    LARGEST_BODY,
    LARGEST_IMAGE,
    MOST_PIXELS,
    UNSUPPORTED,
)
from humeai_async.http import codec
from humeai_async.http.messages import Part
from humeai_async.http.multipart import LARGEST_FILE, File, as_part, read_whole
from humeai_async.media.conversion import (
    ConversionError,
    convert_to_wav,
    has_decoder,
    how_to_convert,
)
from humeai_async.media.formats import NO_SOUND, Kind, describe_silent, kind_of
from humeai_async.media.jpeg import JpegError, jpeg_size
from humeai_async.media.wav import WIDTH, PackedWavError, WavError, read_wav

LARGEST_SAMPLES = LARGEST_BODY - ENVELOPE
"""Bytes of samples in one upload: about 13 minutes."""


def refuse(reason: str, code: str, field: str = "file") -> InvalidArgumentError:
    """Return the error for a file that the service would refuse, or measure as noise."""
    return InvalidArgumentError(reason, field=field, code=code, param="file")


def config_part(config: Mapping[str, Any]) -> Part:
    """Return the settings as a part without a file name."""
    return Part("config", codec.encode_request(config), None, "application/json")


async def audio_part(file: File, *, is_headerless: bool, convert: bool) -> Part:
    """Make the part of a recording.

    Args:
        file: The recording.
        is_headerless: Whether it is raw samples: 16 bit, 16 kHz, mono, low byte first.
        convert: Whether sound of another form is to be converted.

    Raises:
        InvalidArgumentError: The service would refuse it, or measure it as noise.
    """
    part = await as_part(file, argument="file", largest=LARGEST_FILE, too_large=AUDIO_TOO_LONG)
    data = await read_whole(part)
    if is_headerless:
        return _audio(check_headerless(data), part, "application/octet-stream")
    kind = kind_of(data)
    if kind is Kind.EMPTY:
        raise refuse("the file is empty", AUDIO_UNREADABLE)
    if kind is Kind.UNKNOWN:
        raise refuse(
            "the file is of no known format and would be measured as noise; if it is raw 16-bit "
            "16 kHz mono samples, pass is_headerless=True",
            UNSUPPORTED,
        )
    reason, code = _why_not_as_it_is(data, kind)
    # Which chunks around the samples the service reads, nobody says: none is surely right.
    if not reason and (not convert or read_wav(data).is_bare):
        return _audio(data, part, "audio/wav")
    if not _can_be_converted(data, kind, by_decoder=True):
        raise refuse(reason, code)
    if not convert or not _can_be_converted(data, kind, by_decoder=has_decoder()):
        raise refuse(f"{reason}{how_to_convert(convert=convert)}", code)
    return _audio(await _converted(data, code), part, "audio/wav")


def check_headerless(data: bytes) -> bytes:
    """Return raw samples that can be ones.

    Raises:
        InvalidArgumentError: They are a file of some format, or no whole samples.
    """
    kind = kind_of(data)
    if kind is Kind.EMPTY:
        raise refuse("there are no samples", AUDIO_UNREADABLE)
    if kind is not Kind.UNKNOWN:
        raise refuse(
            f"this is {kind} and no raw samples: it would be measured as noise", UNSUPPORTED
        )
    if len(data) % WIDTH:
        raise refuse(
            f"{len(data)} bytes are no whole 16-bit samples; is it cut off?", AUDIO_UNREADABLE
        )
    return data


def _audio(data: bytes, part: Part, content_type: str) -> Part:
    if len(data) + ENVELOPE > LARGEST_BODY:
        raise refuse(
            f"the recording has {len(data) / 1e6:.1f} MB, and {LARGEST_BODY // 10**6} MB are the "
            "most for one upload (about 13 minutes); hume.expression.measure splits longer ones",
            AUDIO_TOO_LONG,
        )
    return Part("file", data, part.filename, content_type, len(data))


def _why_not_as_it_is(data: bytes, kind: Kind) -> tuple[str, str]:
    """Return why the service would refuse a file, and its code; nothing where it would not."""
    if kind in NO_SOUND:
        return describe_silent(kind), UNSUPPORTED
    if kind is not Kind.WAV:
        return f"the file is {kind}; only 16-bit 16 kHz mono WAV is taken", UNSUPPORTED
    try:
        wav = read_wav(data)
    except WavError as problem:
        return f"the WAV file cannot be read: {problem}", AUDIO_UNREADABLE
    if not wav.is_16k_mono:
        form = "fractions" if wav.code != 1 else f"{wav.bits} bit"
        found = f"{wav.rate} Hz, {form}, {wav.channels} channel(s)"
        return f"the WAV file has {found}; only 16 kHz, 16 bit, 1 is taken", AUDIO_UNREADABLE
    if not wav.is_plain:
        return "the WAV file has a header that the service does not read", AUDIO_UNREADABLE
    return "", ""


def _can_be_converted(data: bytes, kind: Kind, *, by_decoder: bool) -> bool:
    """Whether a file can be converted, with a decoder or without."""
    if kind is Kind.WAV:
        try:
            wav = read_wav(data)
        except PackedWavError:
            return by_decoder
        except WavError:
            return False
        return wav.is_16k_mono or by_decoder
    return kind not in NO_SOUND and by_decoder


async def _converted(data: bytes, code: str) -> bytes:
    try:
        return await convert_to_wav(data, _check_samples)
    except ConversionError as problem:
        reason = str(problem)
    raise refuse(f"the file cannot be read: {reason}", code)


def _check_samples(size: int) -> None:
    if size > LARGEST_SAMPLES:
        raise refuse(
            "the recording is longer than 13 minutes, the most for one upload; "
            "hume.expression.measure splits longer ones",
            AUDIO_TOO_LONG,
        )


async def image_parts(files: Sequence[File]) -> list[Part]:
    """Make the parts of images, in their order.

    Raises:
        InvalidArgumentError: The service would refuse one of them, and with it the request.
    """
    if isinstance(files, (str, bytes)) or not isinstance(cast("object", files), Sequence):
        raise InvalidArgumentError("files must be a list; put [] around the value", field="files")
    if not files:
        raise InvalidArgumentError("give at least one image", field="files", code="message_invalid")
    parts: list[Part] = []
    size = ENVELOPE
    for index, file in enumerate(files):
        part = await as_part(
            file, argument="files", largest=LARGEST_FILE, too_large=IMAGE_TOO_LARGE
        )
        data = await read_whole(part)
        code, reason = why_no_image(data)
        if reason:
            raise refuse(f"image {index}: {reason}", code, "files")
        parts.append(Part("file", data, part.filename, "image/jpeg", len(data)))
        size += len(data) + ENVELOPE
    if size > LARGEST_BODY:
        raise refuse(
            f"the images have {size / 1e6:.1f} MB together, and {LARGEST_BODY // 10**6} MB are "
            "the most for one upload; send them in several",
            IMAGE_TOO_LARGE,
            "files",
        )
    return parts


def why_no_image(data: bytes) -> tuple[str, str]:
    """Return the service's code and the reason for an image that it refuses, or nothing."""
    kind = kind_of(data)
    if kind is Kind.EMPTY:
        return IMAGE_UNREADABLE, "it is empty"
    if kind is not Kind.JPEG:
        return UNSUPPORTED, f"it is {kind}, and only JPEG is taken"
    if len(data) > LARGEST_IMAGE:
        return IMAGE_TOO_LARGE, f"it has {len(data) / 1e6:.1f} MB, and 2 MB are the most"
    try:
        width, height = jpeg_size(data)
    except JpegError as problem:
        return IMAGE_UNREADABLE, str(problem)
    if width * height > MOST_PIXELS:
        return IMAGE_TOO_LARGE, f"it has {width} x {height} pixels, and {MOST_PIXELS} are the most"
    return "", ""
