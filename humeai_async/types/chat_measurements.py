"""How what was said in an EVI chat sounded, and when it was said."""

from __future__ import annotations

from attrs import Factory

from humeai_async._base.frozen import frozen


@frozen(kw_only=True)
class ProsodyInference:
    """Expressions in the tone of speech."""

    scores: dict[str, float] = Factory(dict[str, float])
    """Score of each of the 48 expressions, by its name."""


@frozen(kw_only=True)
class Inference:
    """Expressions that the models found in a message."""

    prosody: ProsodyInference | None = None
    """Expressions in the tone of speech; `None` for text."""


@frozen(kw_only=True)
class MillisecondInterval:
    """A span of the user's audio."""

    begin: int | None = None
    """Begin of the span, in milliseconds from the start of the audio."""
    end: int | None = None
    """End of the span, in milliseconds from the start of the audio."""
