"""Audio Decisions: questions to ask of audio, and what comes of them.

```python
from humeai_async.decisions import Choice, Noul

questions = {
    "frustrated": Noul("Does the caller sound frustrated?"),
    "reason": Choice("Why does the caller call?", ["billing", "fault", "other"]),
}
decision = await hume.decisions.create("call.wav", questions)
decision["frustrated"].noul
```
"""

from humeai_async.types.decision_results import (
    ChoiceResult,
    NoulResult,
    Result,
    ScoreResult,
    SpanResult,
    TimeSpan,
    UnknownResult,
)
from humeai_async.types.decisions import Decision, DecisionRun
from humeai_async.types.questions import Choice, Criterion, Noul, Question, QuestionSet, Score, Span

__all__ = [
    "Choice",
    "ChoiceResult",
    "Criterion",
    "Decision",
    "DecisionRun",
    "Noul",
    "NoulResult",
    "Question",
    "QuestionSet",
    "Result",
    "Score",
    "ScoreResult",
    "Span",
    "SpanResult",
    "TimeSpan",
    "UnknownResult",
]
