"""Login users, their teams, and what each may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime


class Role(models.TextChoices):
    REP = "rep", _("CS rep")
    MANAGER = "manager", _("Manager")
    ADMIN = "admin", _("Administrator")
    VIEWER = "viewer", _("Viewer")


class Scope(models.TextChoices):
    OWN = "own", _("Own customers")
    TEAM = "team", _("Team's customers")
    ALL = "all", _("All customers")


class Team(models.Model):
    """A group of people whose customers a team scope covers."""

    key = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in, by e-mail address.

    The role says what the person may do, the scope which customers they may see.
    People are deactivated, never deleted: history refers to them.
    """

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    scope = models.CharField(max_length=6, choices=Scope, default=Scope.OWN)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="members")
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=5, blank=True, default="")
    theme = models.CharField(max_length=5, blank=True, default="")
    density = models.CharField(max_length=8, default="normal")
    has_single_keys = models.BooleanField(default=True)
    has_auto_advance = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_whatever_the_case"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=Q(scope__in=Scope.values), name="user_scope_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def initial(self) -> str:
        """One character for the avatar."""
        return self.name.strip()[:1] or self.email[:1].upper()


class ApiToken(models.Model):
    """A key for another program: only its hash is kept, it has an end, and it may do less than its person."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    may_write = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    def is_alive(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class VisibleQuerySet(models.QuerySet):
    """Rows that belong to a customer; pages, exports and searches start from ``visible_to``."""

    # How the owner of the customer is reached from the row: "" for the customer itself, "customer__" below it.
    to_customer: ClassVar[str] = "customer__"

    def visible_to(self, user: User) -> Self:
        """Return the rows that the person may see; nothing for a person who may not log in."""
        if not user.is_active:
            return self.none()
        return self if user.scope == Scope.ALL else self.filter(self.within_scope(user))

    @classmethod
    def within_scope(cls, user: User) -> Q:
        """Own customers and those nobody owns; with team scope the team's as well."""
        owner = f"{cls.to_customer}owner"
        seen = Q(**{owner: user}) | Q(**{f"{owner}__isnull": True})
        if user.scope == Scope.TEAM and user.team_id is not None:
            seen |= Q(**{f"{owner}__team": user.team_id})
        return seen
