"""The questions of Audio Decisions, checked against every documented limit when they are made.

A `QuestionSet` is what a request asks: questions by id in an order that matters (all are put to
the model at once, so adding or reordering may change what the others come to), and perhaps a
context. It has a hash. Refusals carry the service's own code and the place that it would name.
Reading is lenient where the documentation leaves a form open; there is one writer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, TypeAlias, cast

from attrs import Attribute, field

from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.json import is_object

MOST_QUESTIONS = 20
"""Noul, choice and score questions of one request together."""
MOST_SPANS = 5
"""Span questions of one request."""
LONGEST_ID = 256
"""Characters of a question's id."""
LONGEST_CONTEXT = 1000
"""Characters of the context."""
LEAST_CRITERIA = 2
"""Options of a choice, and levels of a score."""

INVALID = "question_invalid"
"""The service's code for a question that cannot be put."""


def _refuse(reason: str, place: str = "") -> InvalidArgumentError:
    return InvalidArgumentError(reason, field="questions", code=INVALID, param=place or None)


def _text(_: object, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(f"{attribute.name} must be text that is not blank", f"/{attribute.name}")


@frozen
class Criterion:
    """One option of a choice."""

    name: str
    """The option; it keys its share in the result."""
    description: str | None = None
    """What the option covers."""

    def to_wire(self) -> dict[str, Any]:
        """Return the option as it is sent."""
        if self.description is None:
            return {"name": self.name}
        return {"name": self.name, "description": self.description}


@frozen
class Question:
    """What all questions share; use `Noul`, `Choice`, `Score` or `Span`."""

    kind: ClassVar[str] = ""
    """Value of `type` on the wire."""
    instructions: str = field(validator=_text)
    """The question, in words."""

    def to_wire(self) -> dict[str, Any]:
        """Return the question as it is sent."""
        return {"type": self.kind, "instructions": self.instructions}


def _noul_criteria(given: Any) -> Mapping[str, str]:
    if given is None:
        return {}
    wrong = not isinstance(given, Mapping) or not cast("Any", given).keys() <= {"true", "false"}
    if wrong or not all(isinstance(text, str) for text in cast("Any", given).values()):
        raise _refuse('criteria of a noul question are texts for "true" and "false"', "/criteria")
    return dict(cast("Mapping[str, str]", given))


@frozen
class Noul(Question):
    """A question of yes or no; the result is the share of raters who would say yes."""

    kind: ClassVar[str] = "noul"
    criteria: Mapping[str, str] = field(default=None, converter=_noul_criteria)
    """What counts as `true` and what as `false`; either may be left out."""

    def to_wire(self) -> dict[str, Any]:
        """Return the question as it is sent."""
        criteria = {"criteria": dict(self.criteria)} if self.criteria else {}
        return {**super().to_wire(), **criteria}


def _criterion(given: Any) -> Criterion:
    if isinstance(given, str) and given.strip():
        return Criterion(given)
    if isinstance(given, Criterion):
        return given
    if is_object(given) and given.keys() <= {"name", "description"}:
        name = given.get("name")
        if isinstance(name, str):
            return Criterion(name, given.get("description"))
    raise _refuse(
        "an option is a text, a Criterion, or a dict with a name and perhaps a description",
        "/criteria",
    )


def _choice_criteria(given: Any) -> tuple[Criterion, ...]:
    if isinstance(given, Mapping):  # the form of sister APIs: name to description or null
        pairs = cast("Mapping[str, str | None]", given).items()
        return tuple(Criterion(name, description) for name, description in pairs)
    return tuple(_criterion(one) for one in _listed(given, "options"))


def _listed(given: Any, what: str) -> Iterable[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise _refuse(f"criteria must be a list of {what}", "/criteria")
    return cast("Any", given)  # type: ignore[no-any-return]  # pyright knows no more of it


def _enough(_: object, attribute: Attribute[Any], value: tuple[Any, ...]) -> None:
    if len(value) < LEAST_CRITERIA:
        raise _refuse(f"criteria must be {LEAST_CRITERIA} or more", f"/{attribute.name}")
    names = [one.name if isinstance(one, Criterion) else one for one in value]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise _refuse("criteria must be texts that are not blank", f"/{attribute.name}")
    if len(set(names)) < len(names):
        raise _refuse("two criteria have the same name", f"/{attribute.name}")


@frozen
class Choice(Question):
    """A question with two or more options in no order."""

    kind: ClassVar[str] = "choice"
    criteria: tuple[Criterion, ...] = field(converter=_choice_criteria, validator=_enough)
    """The options: texts, or `Criterion`s with a description."""

    def to_wire(self) -> dict[str, Any]:
        """Return the question as it is sent."""
        return {**super().to_wire(), "criteria": [one.to_wire() for one in self.criteria]}


def _levels(given: Any) -> tuple[str, ...]:
    if isinstance(given, (AbstractSet, Mapping)):
        raise _refuse("criteria must be a list of levels, lowest first", "/criteria")
    return tuple(_listed(given, "levels, lowest first"))


@frozen
class Score(Question):
    """A question with two or more levels in an order."""

    kind: ClassVar[str] = "score"
    criteria: tuple[str, ...] = field(converter=_levels, validator=_enough)
    """The levels, lowest first."""

    def to_wire(self) -> dict[str, Any]:
        """Return the question as it is sent."""
        return {**super().to_wire(), "criteria": list(self.criteria)}


@frozen
class Span(Question):
    """A question of when something happens; experimental at Hume."""

    kind: ClassVar[str] = "span"


KINDS: Mapping[str, type[Question]] = {one.kind: one for one in (Noul, Choice, Score, Span)}
"""Every kind of question by its `type`."""

QuestionLike: TypeAlias = Question | Mapping[str, Any]
"""A question, or a dict of the same keys with its `type`."""


def read_question(given: object) -> Question:
    """Return a question that may be given as a dict.

    Raises:
        InvalidArgumentError: It is none, or has a key that the service does not know.
    """
    if isinstance(given, Question) and given.kind:
        return given
    if not isinstance(given, Mapping):
        raise _refuse(f"a question is a Noul, Choice, Score, Span or dict, not {_kind(given)}")
    plain = dict(cast("Mapping[str, Any]", given))
    made = KINDS.get(str(plain.pop("type", "")))
    if made is None:
        raise _refuse(f"type must be one of {', '.join(KINDS)}", "/type")
    known = {"instructions"} if made is Span else {"instructions", "criteria"}
    if unknown := sorted(map(str, plain.keys() - known)):
        keys = ", ".join(sorted(known))
        raise _refuse(
            f"a {made.kind} question has no key {unknown[0]!r}: there are type, {keys}",
            f"/{unknown[0]}",
        )
    try:
        return made(**plain)
    except TypeError:
        missing = "criteria" if "instructions" in plain else "instructions"
        raise _refuse(f"a {made.kind} question needs {missing}", f"/{missing}") from None


def _kind(value: object) -> str:
    return type(value).__name__


def _read_questions(given: Any) -> dict[str, Question]:
    if not isinstance(given, Mapping) or not given:
        raise _refuse("questions must be a dict of at least one question by id", "/questions")
    found: dict[str, Question] = {}
    for name, one in cast("Any", given).items():
        place = f"/questions/{_escape(str(name))}"
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
            raise _refuse(f"an id is a text of 1 to {LONGEST_ID} characters", place)
        try:
            found[name] = read_question(one)
        except InvalidArgumentError as problem:
            raise _refuse(f"{name}: {problem.message}", place + (problem.param or "")) from None
    spans = sum(isinstance(one, Span) for one in found.values())
    if spans > MOST_SPANS:
        raise _refuse(f"{spans} span questions; {MOST_SPANS} are allowed", "/questions")
    if len(found) - spans > MOST_QUESTIONS:
        count = len(found) - spans
        raise _refuse(f"{count} questions; {MOST_QUESTIONS} are allowed", "/questions")
    return found


def _escape(name: str) -> str:
    """Write a name as a step of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _context(_: object, __: Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) > LONGEST_CONTEXT:
        raise InvalidArgumentError(
            f"context must be a text of {LONGEST_CONTEXT} characters at most",
            field="context",
            code=INVALID,
            param="/context",
        )


@frozen(eq=False)
class QuestionSet(Mapping[str, Question]):
    """What a request asks: questions by id, in their order, and a context.

    Two sets are equal where they would be sent as the same bytes.

    Args:
        questions: Questions by id; 20 noul, choice and score questions together, and 5 span
            questions, at most. Ids have 1 to 256 characters.
        context: Who speaks, and the setting; 1,000 characters at most.

    Raises:
        InvalidArgumentError: A limit is exceeded; `code` and `param` are the service's own.
    """

    questions: Mapping[str, Question] = field(converter=_read_questions)
    """The questions by id, in order."""
    context: str | None = field(default=None, validator=_context)
    """Background that is read with the audio."""

    @classmethod
    def of(
        cls,
        questions: QuestionSet | Mapping[str, QuestionLike],
        context: str | None = None,
    ) -> QuestionSet:
        """Return a set; one that is given stays as it is, but for a context of its own."""
        if isinstance(questions, QuestionSet):
            return questions if context is None else QuestionSet(questions.questions, context)
        return QuestionSet(questions, context)

    @property
    def hash(self) -> str:
        """Hash of everything that results depend on besides the audio, as 32 hex digits."""
        return hashlib.blake2b(self._as_text().encode(), digest_size=16).hexdigest()

    def to_wire(self) -> dict[str, Any]:
        """Return the set as it is sent."""
        questions = {name: one.to_wire() for name, one in self.questions.items()}
        return {"questions": questions, **({"context": self.context} if self.context else {})}

    def _as_text(self) -> str:
        return json.dumps(self.to_wire(), default=str)

    def __getitem__(self, name: str) -> Question:
        return self.questions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.questions)

    def __len__(self) -> int:
        return len(self.questions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuestionSet):
            return NotImplemented
        return self._as_text() == other._as_text()

    def __hash__(self) -> int:
        return hash(self._as_text())
