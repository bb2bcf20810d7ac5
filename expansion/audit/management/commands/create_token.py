from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from expansion import clock
from expansion.audit import people
from expansion.errors import DomainError
from expansion.users.models import User

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Make a token for the API and print its key; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="whose rights the token has")
        parser.add_argument("name", help="what it is for")
        parser.add_argument("--write", action="store_true", help="may change things; else it only reads")
        parser.add_argument("--days", type=int, default=90)

    def handle(self, *, email: str, name: str, write: bool, days: int, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email, is_active=True).first()
        if user is None:
            raise CommandError(_("Nobody who may log in has the address %(email)s.") % {"email": email})
        try:
            token, key = people.give_token(user, name=name, may_write=write, days=days, by=None, now=clock.now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
        self.stderr.write(_("It ends on %(day)s.") % {"day": clock.day_of(token.expires_at).isoformat()})
