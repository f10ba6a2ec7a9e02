"""Long recordings of speech, made by espeak-ng and sox: two voices, varied silences.

A few dozen sentences are spoken once each; the recording takes them in a random order with
silences between, so that forty minutes take seconds.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import wave
from array import array
from pathlib import Path

from attrs import frozen

PROGRAMS = ("espeak-ng", "sox")
RATE = 22_050
"""Samples a second that espeak-ng gives."""
VOICES = ("en", "en+f3")
SENTENCES = (
    "Good morning, you have reached the support line.",
    "I have been waiting for over an hour, and nobody could tell me why the line was dead.",
    "Could you give me your customer number, please?",
    "Seven, four, four, nine, one.",
    "No, that is not what I was promised last week, and I am getting tired of it.",
    "I see. Let me look at that for a moment.",
    "Yes.",
    "If it is not repaired by Friday, I want to cancel the contract, and I want my money back.",
    "I am very sorry about that. A technician will call you this afternoon.",
    "Thank you. That is all that I wanted to hear!",
)


@frozen
class Spoken:
    """A recording, and when somebody speaks in it."""

    wav: Path
    """44.1 kHz stereo."""
    mp3: Path
    """128 kbit, 44.1 kHz stereo."""
    turns: list[tuple[float, float]]
    """Start and end of each sentence in seconds, as it was put together."""


def has_programs() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


def speak(folder: Path, seconds: float, *, seed: int = 0) -> Spoken:
    """Make a recording of at least so many seconds."""
    spoken = _sentences(folder)
    dice = random.Random(seed)  # noqa: S311 - silences, no secret
    turns: list[tuple[float, float]] = []
    plan = folder / "plan.wav"
    with wave.open(str(plan), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        at = 0.0
        while at < seconds:
            # Now and then somebody speaks on without a pause, or nobody for a long while.
            quiet = dice.choice((0.15, 0.4, 0.9, 1.5, 2.5, 6.0, 20.0)) * dice.uniform(0.8, 1.2)
            place, samples = dice.choice(spoken)
            out.writeframes(bytes(4 * round(quiet * RATE)) + _panned(samples, place))
            start = at + round(quiet * RATE) / RATE
            at = start + len(samples) / RATE
            turns.append((start, at))
        out.writeframes(bytes(4 * RATE))
    made = Spoken(folder / "talk.wav", folder / "talk.mp3", turns)
    for path, settings in ((made.wav, []), (made.mp3, ["-C", "128"])):
        _run("sox", "-G", str(plan), "-r", "44100", *settings, str(path))
    plan.unlink()
    return made


def _sentences(folder: Path) -> list[tuple[int, array[int]]]:
    """Let each voice say each sentence; the voice stands beside its samples."""
    found: list[tuple[int, array[int]]] = []
    for (place, voice), text in itertools.product(enumerate(VOICES), SENTENCES):
        path = folder / "sentence.wav"
        _run("espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text)
        with wave.open(str(path)) as sound:
            found.append((place, array("h", sound.readframes(sound.getnframes()))))
        path.unlink()
    return found


def _panned(samples: array[int], place: int) -> bytes:
    """Put a voice more to one side."""
    both = array("h", bytes(4 * len(samples)))
    both[place::2] = samples
    both[1 - place :: 2] = array("h", [one // 3 for one in samples])
    return both.tobytes()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the programs above
