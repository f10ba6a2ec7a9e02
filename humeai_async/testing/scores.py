"""Names of everything that Hume scores, and made-up scores for them.

The scores are a pure function of their key: the same source, model and
place give the same numbers in every process. It knows no response's shape; `predictions`
puts the scores where they belong.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence

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


Arc = Mapping[str, tuple[float, float]]
"""How strong some expressions are at the beginning, and at the end."""
FACE_ARCS: tuple[Arc, ...] = (
    {"Joy": (0.08, 0.88), "Amusement": (0.05, 0.66), "Calmness": (0.62, 0.2)},
    {"Interest": (0.8, 0.25), "Boredom": (0.06, 0.72), "Tiredness": (0.1, 0.5)},
    {"Anxiety": (0.75, 0.1), "Doubt": (0.55, 0.08), "Relief": (0.04, 0.7)},
    {"Concentration": (0.7, 0.45), "Confusion": (0.1, 0.6), "Realization": (0.1, 0.55)},
)
"""What happens in a face: a smile grows, interest fades, a worry passes, a thought is had."""
SPEAKER_ARCS: tuple[Arc, ...] = (
    {"Interest": (0.35, 0.75), "Excitement": (0.15, 0.7), "Calmness": (0.6, 0.25)},
    {"Doubt": (0.72, 0.12), "Awkwardness": (0.5, 0.1), "Satisfaction": (0.08, 0.68)},
)
"""What two who talk with one another feel: one warms up, the other comes round."""


def evolving(names: Sequence[str], arc: Arc, progress: float, *key: object) -> list[Record]:
    """Return one score for each name: those of the arc as far as it has come, the others small.

    Args:
        names: Names to score.
        arc: How they evolve.
        progress: How far, 0 to 1.
        *key: What the scores depend on beside it.
    """
    draw = rng(*key).random
    found: list[Record] = []
    for name in names:
        dice = draw()
        first, last = arc.get(name, (0.0, 0.0))
        score = first + (last - first) * progress + (dice - 0.5) / 8 if name in arc else dice**3 / 4
        found.append({"name": name, "score": round(min(max(score, 0.0), 1.0), 6)})
    return found


def shares(names: Sequence[str], *key: object) -> list[Record]:
    """Return one score for each name that add up to about 1."""
    draw = rng(*key).random
    weights = [draw() ** 2 + 0.001 for _ in names]
    whole = sum(weights)
    return [
        {"name": name, "score": round(weight / whole, 6)}
        for name, weight in zip(names, weights, strict=True)
    ]
