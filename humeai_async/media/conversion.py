"""Any sound as 16 kHz mono samples, off the event loop, a block at a time.

The decoder is PyAV (extra `media`), which brings its own codecs; no program has to be installed.
It is imported here only, with the first file that needs it. WAV files of the right samples go
without it.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any

from humeai_async._base.cancellation import in_thread
from humeai_async._base.packages import load_package
from humeai_async.http.multipart import join_pieces
from humeai_async.media.formats import Kind, kind_of
from humeai_async.media.recordings import Recording
from humeai_async.media.wav import (
    RATE,
    WIDTH,
    PackedWavError,
    Wav,
    WavError,
    read_wav,
    wav_header,
)

BLOCK = 4 * RATE * WIDTH
"""Bytes of a block: four seconds of sound."""
_HEAD = 1 << 16
_LENIENT = 19
"""Release of PyAV from which on titles may be of any bytes."""


class ConversionError(Exception):
    """A file holds no sound that can be read; the message says why."""


def has_decoder() -> bool:
    """Whether the extra `media` is installed."""
    return importlib.util.find_spec("av") is not None


def how_to_convert(*, convert: bool) -> str:
    """Say how sound that was not converted can be sent after all, to end a sentence with.

    Args:
        convert: Whether it was to be converted, and could not be.
    """
    if convert:
        return "; pip install 'humeai_async[media]' to have it converted"
    return "; convert=True converts it"


async def samples_of(recording: Recording) -> AsyncGenerator[bytes]:
    """Read a recording as 16-bit 16 kHz mono samples.

    Args:
        recording: The recording.

    Yields:
        Blocks of four seconds; the last one is shorter.

    Raises:
        ConversionError: It holds no sound that can be read.
        MissingPackageError: It has to be converted, and the extra `media` is not installed.
    """
    blocks = _blocks(recording)
    try:
        while block := await in_thread(lambda: next(blocks, b"")):
            yield block
    finally:
        await in_thread(blocks.close)


async def convert_to_wav(data: bytes, check_size: Callable[[int], object]) -> bytes:
    """Return a file as a plain 16-bit 16 kHz mono WAV file.

    Args:
        data: The file.
        check_size: Called with the bytes of samples so far; what it raises ends the conversion.

    Raises:
        ConversionError: It holds no sound that can be read.
        MissingPackageError: It has to be converted, and the extra `media` is not installed.
    """
    pieces: list[bytes] = []
    size = 0
    async with aclosing(samples_of(Recording(data))) as blocks:
        async for block in blocks:
            pieces.append(block)
            size += len(block)
            check_size(size)
    if not size:
        raise ConversionError("it holds no sound")
    pieces.insert(0, wav_header(size))
    return await in_thread(join_pieces, pieces)


def _blocks(recording: Recording) -> Generator[bytes]:
    try:
        yield from _read_blocks(recording)
    except OSError as problem:
        reason = str(problem.strerror or problem)
    else:
        return
    raise ConversionError(reason)


def _read_blocks(recording: Recording) -> Generator[bytes]:
    source, channel = recording.source, recording.channel
    opened = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with opened:
        total = opened.seek(0, io.SEEK_END)
        opened.seek(0)
        wav = None if recording.is_headerless else _read_header(opened, total)
        if recording.is_headerless and total % WIDTH:
            raise ConversionError(f"{total} bytes are no whole 16-bit samples; is it cut off?")
        if recording.is_headerless or (wav is not None and wav.is_16k_mono):
            if channel:
                raise ConversionError(f"it has no channel {channel}")
            opened.seek(0 if wav is None else wav.start)
            left = total if wav is None else wav.size
            while left and (block := opened.read(min(BLOCK, left))):
                left -= len(block)
                yield block
            return
        if not recording.converts:
            raise ConversionError("it is not 16-bit 16 kHz mono WAV, and is not to be converted")
        opened.seek(0)
        yield from _converted(opened, channel)


def _read_header(opened: io.BufferedIOBase | io.BytesIO, total: int) -> Wav | None:
    """Read the header of a WAV file; `None` for what only a decoder can read.

    Raises:
        ConversionError: It is a WAV file that is damaged, of which a decoder would read a part.
    """
    head = opened.read(_HEAD)
    reason = ""
    try:
        return read_wav(head, total=total)
    except PackedWavError:
        return None
    except WavError as problem:
        reason = str(problem)
    is_whole = len(head) == total or b"data" in head
    if kind_of(head) is Kind.WAV and is_whole:
        raise ConversionError(reason)
    return None


def _lenient(av: Any) -> dict[str, str]:
    """Have a title that is no UTF-8, as older programs write it, keep nobody from the sound."""
    # From PyAV 19 on none does, and this argument is gone.
    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < _LENIENT else {}


def _converted(opened: io.BufferedIOBase | io.BytesIO, channel: int | None) -> Iterator[bytes]:
    av = load_package("av")
    reason = ""
    try:
        with av.open(opened, mode="r", **_lenient(av)) as container:
            if not container.streams.audio:
                raise ConversionError("it holds no sound")
            pending = bytearray()
            for samples in _resampled(av, container, channel):
                pending += samples
                while len(pending) >= BLOCK:
                    yield bytes(pending[:BLOCK])
                    del pending[:BLOCK]
            if pending:
                yield bytes(pending)
            return
    except av.error.FFmpegError as problem:
        reason = str(problem.strerror or problem)
    raise ConversionError(f"it cannot be decoded: {reason}")


def _resampled(av: Any, container: Any, channel: int | None) -> Iterator[bytes]:
    layout = "mono" if channel is None else None

    def new_resampler() -> Any:
        return av.AudioResampler(format="s16" if layout else "s16p", layout=layout, rate=RATE)

    def planes(frames: Any) -> Iterator[bytes]:
        for frame in frames:
            index = channel or 0
            if index >= len(frame.planes):
                raise ConversionError(f"it has no channel {index}")
            yield bytes(frame.planes[index])[: frame.samples * WIDTH]

    resampler, form = new_resampler(), None
    for frame in container.decode(audio=0):
        previous, form = form, (frame.format.name, frame.layout.name, frame.rate)
        if previous not in {None, form}:  # files that were joined have one form after another
            yield from planes(resampler.resample(None))
            resampler = new_resampler()
        yield from planes(resampler.resample(frame))
    yield from planes(resampler.resample(None))
