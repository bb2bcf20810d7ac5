"""A playbook at work on one card: which steps are done, which questions were asked, whether an offer was made."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from expansion.errors import DomainError
from expansion.users.models import User
from playbooks import catalogue
from playbooks.models import Play, PlaybookVersion
from signals import alerts
from signals.models import Alert


class NotOpen(DomainError):
    """The alert is closed: its play is over."""


class NoPlaybook(DomainError):
    """The alert names a playbook that is not published."""


def published_version(key: str) -> PlaybookVersion:
    version = PlaybookVersion.objects.filter(playbook__key=key, state="published").select_related("playbook").first()
    if version is None:
        raise NoPlaybook(_("There is no published playbook “%(key)s”. Ask an administrator to publish it.") % {"key": key})
    return version


def find_unfinished(alert: Alert) -> Play | None:
    return Play.objects.filter(alert=alert, finished_at__isnull=True).select_related("playbook_version__playbook").first()


def content_of(alert: Alert) -> catalogue.Content:
    """Return the playbook that the alert's card shows: the one that its play began with, else the published one."""
    play = alert.plays.order_by(F("finished_at").desc(nulls_first=True), "-pk").select_related("playbook_version").first()
    return catalogue.read((play.playbook_version if play else published_version(alert.playbook_key)).body)


@transaction.atomic
def start(alert: Alert, *, by: User, now: datetime) -> Play:
    """Return the alert's unfinished play, begun now if there is none.  Beginning tells others that somebody works on it.

    The play keeps the playbook as it was published then, whatever is published later.
    """
    alert = Alert.objects.select_for_update(of=("self",)).select_related("customer").get(pk=alert.pk)
    play = find_unfinished(alert)
    if play is not None:
        return play
    if alert.open_key is None:
        raise NotOpen(_("This alert is closed; its playbook can only be read."))
    version = published_version(alert.playbook_key)
    play = Play.objects.create(customer=alert.customer, alert=alert, playbook_version=version, started_at=now, started_by=by)
    alerts.acknowledge(alert, by=by, now=now)
    return play


@transaction.atomic
def mark_step(alert: Alert, key: str, *, is_done: bool, by: User, now: datetime) -> Play:
    """Tick a step off, or take the tick back."""
    play = _locked(start(alert, by=by, now=now))
    if key not in catalogue.read(play.playbook_version.body).step_keys():
        raise DomainError(_("The playbook has no such step. Load the page again."))
    return _mark(play, "steps", key, is_done=is_done, by=by, now=now)


@transaction.atomic
def mark_question(alert: Alert, key: str, *, is_asked: bool, by: User, now: datetime, answer: str = "") -> Play:
    """Note that a question was asked, with the answer where there is one, or take it back."""
    play = _locked(start(alert, by=by, now=now))
    if key not in catalogue.read(play.playbook_version.body).question_keys():
        raise DomainError(_("The playbook has no such question. Load the page again."))
    return _mark(play, "asked", key, is_done=is_asked, by=by, now=now, answer=answer)


def _mark(play: Play, field: str, key: str, *, is_done: bool, by: User, now: datetime, answer: str = "") -> Play:
    marks = dict(getattr(play, field))
    if not is_done:
        marks.pop(key, None)
    elif key not in marks or marks[key].get("answer", "") != answer:
        marks[key] = {"at": now.isoformat(), "by": by.pk, "name": by.name, "answer": answer}
    setattr(play, field, marks)
    play.version += 1
    play.save(update_fields=[field, "version"])
    return play


def _locked(play: Play) -> Play:
    return Play.objects.select_for_update(of=("self",)).select_related("playbook_version__playbook").get(pk=play.pk)
