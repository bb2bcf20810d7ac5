from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from expansion import clock
from expansion.audit import people
from expansion.errors import DomainError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Make somebody an administrator.  The password is asked for, or read as one line from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")

    def handle(self, *, email: str, name: str, **options: Any) -> None:
        try:
            validate_email(email)
            user = people.make_admin(email, name=name or email.split("@")[0], password=_password(), by=None, now=clock.now())
        except ValidationError as error:
            raise CommandError(_("%(email)s is no e-mail address.") % {"email": email}) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_("%(email)s is an administrator.") % {"email": user.email})


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(_("Password: "))
    if getpass.getpass(_("Again: ")) != first:
        raise CommandError(_("The two passwords differ. Start again."))
    return first
