from __future__ import annotations

import ast
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polib
from babel.messages.extract import extract_python
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

from expansion import translations

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

# function: positions of context, singular, plural
CALLS: dict[str, tuple[int | None, int, int | None]] = {
    "gettext": (None, 0, None),
    "gettext_lazy": (None, 0, None),
    "gettext_noop": (None, 0, None),
    "ngettext": (None, 0, 1),
    "ngettext_lazy": (None, 0, 1),
    "pgettext": (0, 1, None),
    "pgettext_lazy": (0, 1, None),
    "npgettext": (0, 1, 2),
    "npgettext_lazy": (0, 1, 2),
}
SOURCES = ("accounts", "expansion", "playbooks", "signals")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%%")
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# What may stand in a template as it is: names, and words that are the same in both languages.
SAME_IN_BOTH = frozenset({
    "API", "ARR", "CSV", "Ctrl", "EN", "English", "Esc", "GRR", "ID", "Kizashi", "LTV", "MRR", "NPS",
    "NRR", "PDF", "RFM", "SPIN", "XLSX",
})  # fmt: skip
NAMED_ATTRIBUTES = re.compile(r'\b(?:aria-label|placeholder|title|alt|data-key-label)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a text is shown."""

    path: str
    line: int
    context: str
    text: str
    plural: str

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.text


class Command(BaseCommand):
    help = "List every text without a good Japanese translation; exit 1 when there is one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", metavar="APP", choices=translations.apps(), help="append what an app's catalogue lacks")

    def handle(self, *, write: str | None, **options: Any) -> None:
        if write:
            self.stdout.write(f"{add_missing(settings.BASE_DIR, app=write)} texts added to {write}.")
            return
        found = check(settings.BASE_DIR)
        for fault in found:
            self.stdout.write(fault)
        if found:
            raise CommandError(f"{len(found)} texts need a translation or a correction.")


def check(root: Path) -> list[str]:
    """Return one line for each fault of the texts and catalogues under the folder."""
    uses, faults = texts(root)
    used = defaultdict(list)
    for use in uses:
        used[use.key].append(use)
        if JAPANESE.search(use.text) and use.text != "日本語":
            faults.append(f"{use.path}:{use.line}: The text in the code is Japanese; write it in English: {use.text!r}")

    known: dict[tuple[str, str], list[tuple[str, polib.POEntry]]] = defaultdict(list)
    for app in translations.apps():
        path = translations.catalogue_of(app, root=root)
        if not path.exists():
            continue
        name = str(path.relative_to(root))
        book = polib.pofile(str(path), check_for_duplicates=False)
        if "nplurals=1" not in book.metadata.get("Plural-Forms", ""):
            faults.append(f"{name}:1: The header lacks Plural-Forms: nplurals=1; plural=0;")
        seen: set[tuple[str, str]] = set()
        for entry in book:
            key = (entry.msgctxt or "", entry.msgid)
            if entry.obsolete or key not in used:
                faults.append(f"{name}:{entry.linenum}: Nothing shows this text any more: {entry.msgid!r}")
            elif key in seen:
                faults.append(f"{name}:{entry.linenum}: Twice in one catalogue: {entry.msgid!r}")
            else:
                known[key].append((name, entry))
                faults.extend(f"{name}:{entry.linenum}: {fault}" for fault in _faults_of(entry, used[key]))
            seen.add(key)

    for key, places in used.items():
        if key not in known:
            where = places[0]
            faults.append(f"{where.path}:{where.line}: No Japanese in any catalogue: {where.text!r}")
    for entries in known.values():
        first_name, first = entries[0]
        for name, entry in entries[1:]:
            if _japanese(entry) != _japanese(first):
                both = f"{_japanese(entry)!r} here but {_japanese(first)!r} in {first_name}"
                faults.append(f"{name}:{entry.linenum}: {entry.msgid!r} is {both}.")
    return sorted(faults)


def add_missing(root: Path, *, app: str) -> int:
    """Append to an app's catalogue the texts of its files that no catalogue has; return how many."""
    known = set()
    for each in translations.apps():
        path = translations.catalogue_of(each, root=root)
        if path.exists():
            known |= {(entry.msgctxt or "", entry.msgid) for entry in polib.pofile(str(path)) if not entry.obsolete}
    missing: dict[tuple[str, str], list[Use]] = defaultdict(list)
    for use in texts(root)[0]:
        if use.key not in known and translations.app_of(use.path) == app:
            missing[use.key].append(use)
    path = translations.catalogue_of(app, root=root)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(translations.HEADER)
    with path.open("a") as file:
        for places in missing.values():
            use = places[0]
            plural = next((place.plural for place in places if place.plural), "")
            entry = polib.POEntry(msgid=use.text, msgctxt=use.context or None, occurrences=[(use.path, "")])
            if plural:
                entry.msgid_plural, entry.msgstr_plural = plural, {0: ""}
            file.write("\n" + entry.__unicode__(wrapwidth=0).rstrip("\n") + "\n")
    return len(missing)


def texts(root: Path) -> tuple[list[Use], list[str]]:
    """Return every text that templates and code show, and the faults of those that cannot be translated."""
    uses: list[Use] = []
    faults: list[str] = []
    for path in sorted((root / "templates").rglob("*.html")):
        name, source = str(path.relative_to(root)), path.read_text()
        uses += _of_template(name, source)
        faults += _bare(name, source)
    modules = {}
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                modules[str(path.relative_to(root))] = ast.parse(path.read_text())
    refusals = _refusals(modules.values())
    for name, tree in modules.items():
        for use in _of_module(name, tree):
            if isinstance(use, Use):
                uses.append(use)
            else:
                faults.append(use)
        faults += _plain_refusals(name, tree, refusals)
    return uses, faults


def _of_template(name: str, source: str) -> Iterator[Use]:
    code = io.BytesIO(templatize(source, origin=name).encode())
    keywords = dict.fromkeys([*CALLS, "_"])
    for line, function, arguments, _comments in extract_python(code, keywords, (), {"encoding": "utf-8"}):
        words: Any = arguments if isinstance(arguments, tuple | list) else (arguments,)
        context, singular, plural = CALLS["gettext" if function == "_" else str(function)]
        yield Use(
            path=name,
            line=line,
            context=words[context] if context is not None else "",
            text=words[singular],
            plural=words[plural] if plural is not None else "",
        )


def _of_module(name: str, tree: ast.Module) -> Iterator[Use | str]:
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in CALLS}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in aliases:
            function = aliases[called.id]
        elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "translation":
            function = called.attr
        else:
            continue
        if function not in CALLS:
            continue
        positions = [position for position in CALLS[function] if position is not None]
        given = [node.args[position] if position < len(node.args) else None for position in positions]
        if not all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in given):
            yield f"{name}:{node.lineno}: {function}() needs its text as it is, not a variable or an f-string."
            continue
        context, singular, plural = CALLS[function]
        words = {position: each.value for position, each in zip(positions, given, strict=True)}  # type: ignore[union-attr]
        yield Use(
            path=name,
            line=node.lineno,
            context=words[context] if context is not None else "",
            text=words[singular],
            plural=words[plural] if plural is not None else "",
        )


def _refusals(trees: Any) -> set[str]:
    """Return the names of DomainError and of all classes that derive from it."""
    bases = {
        node.name: {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"DomainError"}
    while more := {name for name, parents in bases.items() if parents & known} - known:
        known |= more
    return known


def _plain_refusals(name: str, tree: ast.Module, refusals: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
            continue
        called = node.exc.func
        raised = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if raised in refusals and all(isinstance(word, ast.JoinedStr | ast.Constant) for word in node.exc.args):
            yield f"{name}:{node.lineno}: {raised} is shown to a person: hand it gettext(…)."


def _bare(name: str, source: str) -> Iterator[str]:
    """Yield the words of a template that no translation reaches."""
    hidden = (
        r"\{#.*?#\}",
        r"\{% block body_(?:class|attributes) %\}.*?\{% endblock %\}",
        r"\{% comment.*?endcomment %\}",
        r"\{% (?:blocktranslate|blocktrans)\b.*?\{% end(?:blocktranslate|blocktrans) %\}",
        r"<(script|style)\b.*?</\1>",
        r"<!--.*?-->",
        r'<(\w+)\b[^>]*\blang="[^"]*"[^>]*>.*?</\1>',
    )
    text = source
    for pattern in hidden:
        text = re.sub(pattern, lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", lambda found: " " + "\n" * found[0].count("\n"), text)
    pieces = list(enumerate(shown.split("\n"), 1))
    pieces += [(text.count("\n", 0, found.start()) + 1, found[1]) for found in NAMED_ATTRIBUTES.finditer(text)]
    for line, words in pieces:
        words = re.sub(r"&#?\w+;", " ", words)
        bare = [word for word in re.findall(r"[^\W\d_]{2,}", words) if word not in SAME_IN_BOTH]
        if bare:
            yield f"{name}:{line}: Not translated: {' '.join(bare)!r}"


def _faults_of(entry: polib.POEntry, places: list[Use]) -> Iterator[str]:
    japanese = _japanese(entry)
    if "fuzzy" in entry.flags:
        yield f"Marked as doubtful (fuzzy): {entry.msgid!r}"
    plural = next((place.plural for place in places if place.plural), "")
    if plural and not entry.msgid_plural:
        yield f"Needs msgid_plural {plural!r}: {entry.msgid!r}"
        return
    if not japanese.strip():
        yield f"No Japanese: {entry.msgid!r}"
        return
    wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    if set(PLACEHOLDER.findall(japanese)) != wanted:
        yield f"The placeholders differ ({', '.join(sorted(wanted)) or 'none'}): {japanese!r}"
    if " " in entry.msgid and re.search("[a-z]{3}", entry.msgid) and not JAPANESE.search(japanese):
        yield f"Not Japanese: {japanese!r}"


def _japanese(entry: polib.POEntry) -> str:
    return entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr
