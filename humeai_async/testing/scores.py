"""Names of everything that Hume scores, and made-up scores for them.

The scores are a pure function of the key they are asked for: the same source, model and
place give the same numbers in every process. It knows no answer's shape; `predictions`
puts the scores where they belong.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from humeai_async.testing.exchange import Record

EXPRESSIONS = tuple(
    """Admiration,Adoration,Aesthetic Appreciation,Amusement,Anger,Anxiety,Awe,Awkwardness,
Boredom,Calmness,Concentration,Confusion,Contemplation,Contempt,Contentment,Craving,Desire,
Determination,Disappointment,Disgust,Distress,Doubt,Ecstasy,Embarrassment,Empathic Pain,
Entrancement,Envy,Excitement,Fear,Guilt,Horror,Interest,Joy,Love,Nostalgia,Pain,Pride,
Realization,Relief,Romance,Sadness,Satisfaction,Shame,Surprise (negative),
Surprise (positive),Sympathy,Tiredness,Triumph""".replace("\n", "").split(",")
)
"""The 48 expressions of face, burst, prosody and facemesh."""
LANGUAGE_EXPRESSIONS = tuple(
    sorted((*EXPRESSIONS, "Annoyance", "Disapproval", "Enthusiasm", "Gratitude", "Sarcasm"))
)
"""The 53 expressions of language and ner."""
SENTIMENT = tuple(str(level) for level in range(1, 10))
"""Levels of sentiment, worst first."""
TOXICITY = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
FACS = (
    "AU1 Inner Brow Raise",
    "AU2 Outer Brow Raise",
    "AU4 Brow Lowerer",
    "AU5 Upper Lid Raise",
    "AU6 Cheek Raise",
    "AU9 Nose Wrinkle",
    "AU12 Lip Corner Puller",
    "AU15 Lip Corner Depressor",
    "AU17 Chin Raiser",
    "AU20 Lip Stretch",
    "AU25 Lips Part",
    "AU26 Jaw Drop",
    "AU43 Eye Closure",
)
FACE_DESCRIPTIONS = ("Beaming", "Frown", "Gasp", "Glare", "Grin", "Pout", "Smile", "Squint")
BURST_DESCRIPTIONS = ("Chuckle", "Gasp", "Giggle", "Groan", "Hmm", "Laugh", "Sigh", "Sniff")


def rng(*key: object) -> random.Random:
    """Return random numbers that depend on the key alone."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest))  # noqa: S311 - they must repeat


def scores(names: Sequence[str], *key: object) -> list[Record]:
    """Return one score from 0 to 1 for each name: mostly small, a few strong."""
    draw = rng(*key).random
    return [{"name": name, "score": round(draw() ** 3, 6)} for name in names]


def shares(names: Sequence[str], *key: object) -> list[Record]:
    """Return one score for each name that add up to about 1."""
    draw = rng(*key).random
    weights = [draw() ** 2 + 0.001 for _ in names]
    whole = sum(weights)
    return [
        {"name": name, "score": round(weight / whole, 6)}
        for name, weight in zip(names, weights, strict=True)
    ]
