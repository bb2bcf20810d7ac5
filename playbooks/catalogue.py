"""What a playbook says: four steps, questions, demo order, message, next action; in both languages.

A version's ``body`` (JSON) and the shipped YAML have the same shape; ``read`` turns it into ``Content``
and refuses what a rep could not work with.  Sentences and messages are templates with fields in braces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from django.utils.translation import gettext as _

from expansion.errors import DomainError

STEP_KINDS = ("review", "ask", "cases", "quote", "promise")
SPIN = ("S", "P", "I", "N")
# What a template may name; each comes from the alert, its customer or its quote.
FIELDS = frozenset({
    "owner", "person", "customer", "what", "by", "price", "signals", "plan", "next_plan", "product",
    "seats", "seats_used", "seats_after", "renews_on", "days_to_renewal",
})  # fmt: skip


class Unreadable(DomainError):
    """A playbook lacks something that a rep needs."""


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in Japanese and English."""

    ja: str
    en: str

    def said(self, language: str) -> str:
        return self.ja if language == "ja" else self.en


@dataclass(frozen=True, slots=True)
class Question:
    """One SPIN question; ``kind`` is S, P, I or N."""

    key: str
    kind: str
    text: Text


@dataclass(frozen=True, slots=True)
class Demo:
    """One part of a demo and how long it takes."""

    text: Text
    minutes: int


@dataclass(frozen=True, slots=True)
class Message:
    subject: Text
    body: Text


@dataclass(frozen=True, slots=True)
class Step:
    """One of the steps; ``kind`` says what the page puts under it besides the points."""

    key: str
    kind: str
    name: Text
    points: tuple[Text, ...] = ()
    questions: tuple[Question, ...] = ()
    demo: tuple[Demo, ...] = ()
    message: Message | None = None

    @property
    def minutes(self) -> int:
        return sum(part.minutes for part in self.demo)


@dataclass(frozen=True, slots=True)
class Choice:
    """A next step that can be logged with a result."""

    key: str
    text: Text


@dataclass(frozen=True, slots=True)
class Content:
    """One version of a playbook, ready to be shown."""

    name: Text
    play_kind: str
    icon: str
    makes_offers: bool
    what: Text
    action: Text
    action_without_price: Text
    steps: tuple[Step, ...]
    next_steps: Mapping[str, tuple[Choice, ...]]

    def question_keys(self) -> frozenset[str]:
        return frozenset(question.key for step in self.steps for question in step.questions)

    def step_keys(self) -> frozenset[str]:
        return frozenset(step.key for step in self.steps)

    def next_step(self, key: str, language: str) -> str:
        """Return the words of a logged next step; words that no list has are a person's own."""
        for choices in self.next_steps.values():
            for choice in choices:
                if choice.key == key:
                    return choice.text.said(language)
        return key


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a filled template: plain words, or the value of a field (None where it is not known)."""

    text: str | None
    field: str = ""


def fill(template: str, fields: Mapping[str, str | None]) -> list[Piece]:
    """Put the fields into the template.  A field that is not known stays a piece without text."""
    pieces: list[Piece] = []
    for words, field, _spec, _conversion in Formatter().parse(template):
        if words:
            pieces.append(Piece(words))
        if field is not None:
            pieces.append(Piece(fields.get(field) or None, field))
    return pieces


def plain(pieces: Sequence[Piece], *, missing: str) -> str:
    """Return the pieces as one text, unknown fields marked."""
    return "".join(missing if piece.text is None else piece.text for piece in pieces)


def read(body: Mapping[str, Any]) -> Content:
    """Read a version's body; Unreadable names the first thing that is missing or wrong."""
    try:
        content = Content(
            name=_text(body["name"]),
            play_kind=body["play_kind"],
            icon=body["icon"],
            makes_offers=bool(body["makes_offers"]),
            what=_text(body["what"]),
            action=_text(body["action"]),
            action_without_price=_text(body["action_without_price"]),
            steps=tuple(_step(step) for step in body["steps"]),
            next_steps={
                result: tuple(Choice(choice["key"], _text(choice)) for choice in choices)
                for result, choices in body["next_steps"].items()
            },
        )
    except KeyError as error:
        raise Unreadable(_("The playbook lacks %(what)s.") % {"what": error}) from error
    _check(content)
    return content


def _step(body: Mapping[str, Any]) -> Step:
    message = body.get("message")
    return Step(
        key=body["key"],
        kind=body["kind"],
        name=_text(body["name"]),
        points=tuple(_text(point) for point in body.get("points", ())),
        questions=tuple(Question(q["key"], q["kind"], _text(q)) for q in body.get("questions", ())),
        demo=tuple(Demo(_text(part), int(part["minutes"])) for part in body.get("demo", ())),
        message=Message(_text(message["subject"]), _text(message["body"])) if message else None,
    )


def _text(body: Mapping[str, Any]) -> Text:
    return Text(ja=str(body["ja"]).strip(), en=str(body["en"]).strip())


def _check(content: Content) -> None:
    for step in content.steps:
        if step.kind not in STEP_KINDS:
            raise Unreadable(_("Step %(step)s has an unknown kind.") % {"step": step.key})
        if any(question.kind not in SPIN for question in step.questions):
            raise Unreadable(_("A question of step %(step)s is none of S, P, I, N.") % {"step": step.key})
    if len(content.step_keys()) != len(content.steps):
        raise Unreadable(_("Two steps have the same key."))
    for text in _texts(content):
        for template in (text.ja, text.en):
            if not template:
                raise Unreadable(_("A text is empty in one of the two languages."))
            unknown = {field for _words, field, _spec, _conversion in Formatter().parse(template) if field is not None} - FIELDS
            if unknown:
                raise Unreadable(_("No field is called %(field)s.") % {"field": "{" + min(unknown) + "}"})


def _texts(content: Content) -> list[Text]:
    texts = [content.name, content.what, content.action, content.action_without_price]
    for step in content.steps:
        texts += [step.name, *step.points, *(q.text for q in step.questions), *(part.text for part in step.demo)]
        if step.message:
            texts += [step.message.subject, step.message.body]
    for choices in content.next_steps.values():
        texts += [choice.text for choice in choices]
    return texts
