"""WAV files: reading their headers, and writing plain ones.

It knows no endpoint; what is wrong with a file is a `WavError`, which callers turn into theirs.
"""

from __future__ import annotations

import struct

from humeai_async._base.frozen import frozen

RATE = 16_000
"""Samples a second of the sound that the services use."""
WIDTH = 2
"""Bytes of one of its samples."""
BYTES_A_MS = RATE * WIDTH // 1000
"""Bytes of a millisecond of it."""
HEADER_BYTES = 44
"""Bytes before the data of a plain file."""
PCM = 1
FLOAT = 3
EXTENSIBLE = 0xFFFE
_LEAST_FORMAT = 16
_LEAST_EXTENSIBLE = 26
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)
"""What programs that write to a pipe leave for the size of the data."""


class WavError(Exception):
    """A file is no WAV that can be read; the message says why."""


class PackedWavError(WavError):
    """The samples are packed, as in telephony; a decoder may read them."""


@frozen
class Wav:
    """What the header of a WAV file says, and where its data is."""

    code: int
    """1 for whole numbers, 3 for fractions."""
    channels: int
    rate: int
    """Samples a second."""
    bits: int
    """Bits of one sample."""
    is_extensible: bool
    """Whether the header is of the longer kind, which some readers do not take."""
    start: int
    """Where the data begins."""
    size: int
    """Bytes of data that are there."""
    is_plain: bool
    """Whether the header is one that every reader takes, with a size that is right."""
    is_sized: bool
    """Whether the sizes that it announces are those of the file."""
    is_bare: bool
    """Whether there is nothing beside such a header and the data, and its sizes are right."""

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * ((self.bits + 7) // 8)

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.size / (self.frame_size * self.rate)

    @property
    def is_16k_mono(self) -> bool:
        """Whether the samples are what the services use: 16 kHz, 16 bit, one channel."""
        return (self.code, self.channels, self.rate, self.bits) == (PCM, 1, RATE, 16)


def read_wav(data: bytes, *, total: int | None = None) -> Wav:
    """Read the header of a WAV file.

    Args:
        data: The file, or enough of it to hold the header.
        total: Bytes of the whole file, where `data` is only its beginning.

    Raises:
        WavError: It is none, is cut off, or holds no data.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("it does not begin like a WAV file")
    total = len(data) if total is None else total
    at, described = 12, b""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"data":
            announced = struct.unpack_from("<I", data, 4)[0] + 8
            return _read_format(described, at + 8, size, total, announced)
        if name == b"fmt ":
            described = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise WavError("it has no data, or is cut off within its header")


def _read_format(described: bytes, start: int, size: int, total: int, announced: int) -> Wav:
    if len(described) < _LEAST_FORMAT:
        raise WavError("it does not say what its data is")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", described)
    is_extensible = code == EXTENSIBLE
    if is_extensible:
        if len(described) < _LEAST_EXTENSIBLE:
            raise WavError("its extensible header is cut off")
        code = struct.unpack_from("<H", described, 24)[0]
    if not channels or not rate:
        raise WavError("its header has no channels or no rate")
    if code not in {PCM, FLOAT} or not bits:
        raise PackedWavError(f"its data is packed in a way (format {code}) that is not taken")
    there = total - start
    is_streamed = size in _UNKNOWN_SIZE and there > 0
    if size > there and not is_streamed:
        raise WavError(f"it is cut off: {size} bytes of data are announced and {there} are there")
    is_sized = announced == total and not is_streamed
    wav = Wav(
        code=code,
        channels=channels,
        rate=rate,
        bits=bits,
        is_extensible=is_extensible,
        start=start,
        size=there if is_streamed else size,
        is_plain=not is_extensible and not is_streamed,
        is_sized=is_sized,
        is_bare=is_sized and not is_extensible and (start, there) == (HEADER_BYTES, size),
    )
    if not wav.size:
        raise WavError("it holds no sound")
    if wav.size % wav.frame_size:
        raise WavError("it ends within a sample")
    return wav


def with_sizes(data: bytes, wav: Wav) -> bytes:
    """Return a WAV file with the sizes in its header that are true."""
    riff, size = struct.pack("<I", len(data) - 8), struct.pack("<I", wav.size)
    return b"".join((data[:4], riff, data[8 : wav.start - 4], size, data[wav.start :]))


def wav_header(size: int, *, rate: int = RATE, channels: int = 1) -> bytes:
    """Return the `HEADER_BYTES` that begin a plain WAV file of 16-bit samples.

    Args:
        size: Bytes of its data.
        rate: Samples a second.
        channels: Number of channels.
    """
    block = channels * WIDTH
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, PCM, channels, rate, rate * block, block, 16,
        b"data", size,
    )  # fmt: skip


def to_wav(samples: bytes) -> bytes:
    """Return 16-bit 16 kHz mono samples as a plain WAV file."""
    return wav_header(len(samples)) + samples
