"""Rules of the house that no linter knows.  Each catches its bad sample, passes its good one, and finds nothing in the project."""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
APPS = ("expansion", "accounts", "signals", "playbooks")
ENQUEUE = {"delay", "apply_async", "send_task"}
RUNS_SQL = {"execute", "executemany", "raw", "RawSQL", "copy_expert", "copy_to_frame", "extra"}
MONEY = re.compile(r"(^|_)(mrr|arr|amount|price|cost|revenue|total|paid|budget)(_|$)")


@dataclass(frozen=True)
class Rule:
    """A rule over the text of files: what it finds, where it looks, what it must and must not catch."""

    name: str
    find: Callable[[str], list[str]]
    looks_at: Callable[[Path, str], bool]
    bad: str
    good: str


def in_app(path: Path, _: str = "") -> bool:
    return path.suffix == ".py" and path.parts[0] in APPS and "migrations" not in path.parts


def is_interface(path: Path, text: str) -> bool:
    """Return whether the module serves pages, forms, an API or tasks."""
    return in_app(path) and re.search(r"@page\(|permission_classes|forms\.(Model)?Form\b|@shared_task|@app\.task", text) is not None


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    """Return the last word of what is called: ``now`` for ``timezone.now()``."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def at(node: ast.AST) -> str:
    return f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:100]}"


def clock_readings(text: str) -> list[str]:
    """Only expansion.clock asks what time it is."""
    readings = {"date.today", "datetime.now", "datetime.today", "datetime.utcnow", "timezone.now", "timezone.localdate"}
    found = []
    for node in calls(ast.parse(text)):
        if isinstance(node.func, ast.Attribute):
            *_, owner = ast.unparse(node.func.value).split(".")
            if f"{owner}.{node.func.attr}" in readings:
                found.append(at(node))
    return found


def built_sql(text: str) -> list[str]:
    """Values travel as parameters; only a constant or a quoted identifier may stand in the text of a statement."""
    found = []
    tree = ast.parse(text)
    # What the driver filled in and quoted itself, for COPY, which takes no parameters; and identifiers that it quoted.
    quoted = {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and re.search(r"\bmogrify\(|\bquote_name\b", ast.unparse(node.value))
        for target in node.targets
    }
    for node in calls(tree):
        if called(node) not in RUNS_SQL or not node.args:
            continue
        statement = node.args[0]
        if isinstance(statement, ast.JoinedStr):
            values = [part.value for part in statement.values if isinstance(part, ast.FormattedValue)]
            found += [
                at(value) for value in values if not _is_fixed(value) and ast.unparse(value).removesuffix(".decode()") not in quoted
            ]
        elif _is_formatted(statement):
            found.append(at(statement))
    return found


def _is_formatted(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod)
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("'.format")


def _is_fixed(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id.isupper()
    if isinstance(node, ast.Attribute):
        return node.attr in {"db_table", "column"} or node.attr.isupper()
    return isinstance(node, ast.Call) and called(node) in {"quote_name", "quoted"}


def enqueued_in_transactions(text: str) -> list[str]:
    """A task sent before the commit may run before the rows are there."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.With):
            inside = any("atomic" in ast.unparse(item.context_expr) for item in node.items)
        elif isinstance(node, ast.FunctionDef):
            inside = any("atomic" in ast.unparse(decorator) for decorator in node.decorator_list)
        else:
            continue
        if inside:
            after_commit = {
                inner
                for call in calls(node)
                if called(call) == "on_commit"
                for argument in call.args
                for inner in ast.walk(argument)
            }
            found += [at(call) for call in calls(node) if called(call) in ENQUEUE and call not in after_commit]
    return found


@cache
def models_of_customers() -> frozenset[str]:
    """Return the models whose rows belong to a customer: what somebody sees of them depends on who it is."""
    return frozenset(
        model.__name__
        for model in apps.get_models()
        if model.__name__ == "Customer" or any(field.name == "customer" and field.is_relation for field in model._meta.get_fields())
    )


def unscoped_querysets(text: str) -> list[str]:
    """A page, form or API reaches rows of customers through ``visible_to`` only."""
    tree = ast.parse(text)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"}):
            continue
        if isinstance(node.value, ast.Name) and node.value.id in models_of_customers():
            using = parents[node]
            if not (isinstance(using, ast.Attribute) and using.attr == "visible_to"):
                found.append(at(node))
    return found


def outgoing_calls(text: str) -> list[str]:
    """Nothing here calls other machines."""
    return _imports(text, {"requests", "httpx", "aiohttp", "urllib.request", "http.client", "smtplib"})


def spreadsheet_readers(text: str) -> list[str]:
    return [at(node) for node in calls(ast.parse(text)) if called(node) in {"load_workbook", "read_excel"}]


def _imports(text: str, banned: set[str]) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if any(name == one or name.startswith(f"{one}.") for name in names for one in banned):
            found.append(at(node))
    return found


def matches(pattern: str) -> Callable[[str], list[str]]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: [
        f"line {number}: {line.strip()[:100]}" for number, line in enumerate(text.splitlines(), 1) if compiled.search(line)
    ]


def in_template(path: Path, _: str) -> bool:
    return path.suffix == ".html" and "templates" in path.parts


RULES = (
    Rule(
        "only expansion.clock reads the clock",
        clock_readings,
        # The supervisor runs before Django, where there is no expansion.clock.
        lambda path, _: in_app(path) and path.name != "clock.py" and "serve" not in path.parts,
        bad="from django.utils import timezone\nstarted = timezone.now()\n",
        good="def snooze(alert, *, now):\n    alert.until = now\n",
    ),
    Rule(
        "no value stands in the text of an SQL statement",
        built_sql,
        # The one place that makes COPY statements, which take no parameters; it quotes what it is given.
        lambda path, _: in_app(path) and path != Path("expansion/copying.py"),
        bad='cursor.execute(f"SELECT 1 FROM accounts_customer WHERE id = {customer_id}")\n',
        good='cursor.execute(f"SELECT 1 FROM {TABLE} WHERE id = %s", [customer_id])\n',
    ),
    Rule(
        "no task is sent inside a transaction",
        enqueued_in_transactions,
        in_app,
        bad="@transaction.atomic\ndef publish(rule):\n    rule.save()\n    rescore.delay(rule_id=rule.pk)\n",
        good=(
            "@transaction.atomic\ndef publish(rule):\n    rule.save()\n"
            "    transaction.on_commit(lambda: rescore.delay(rule_id=rule.pk))\n"
        ),
    ),
    Rule(
        "interfaces reach customers through visible_to",
        unscoped_querysets,
        is_interface,
        bad="def account(request, pk):\n    return get_object_or_404(Customer.objects.filter(), pk=pk)\n",
        good="def account(request, pk):\n    return get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)\n",
    ),
    Rule(
        "nothing calls other machines",
        outgoing_calls,
        lambda path, _: in_app(path) and "serve" not in path.parts,
        bad="from urllib.request import urlopen\n",
        good="from urllib.parse import quote\n",
    ),
    Rule(
        "spreadsheets are read in the import's child process only",
        spreadsheet_readers,
        lambda path, _: in_app(path) and path.parts[:2] != ("accounts", "imports"),
        bad="book = openpyxl.load_workbook(file)\n",
        good="book = openpyxl.Workbook(write_only=True)\n",
    ),
    Rule(
        "templates escape everything",
        matches(r"\|\s*safe(seq)?\b|autoescape\s+off"),
        in_template,
        bad="<p>{{ note|safe }}</p>\n",
        good="<p>{{ note }}</p>\n",
    ),
    Rule(
        "templates hold no style, script or handler",
        matches(r"<style|<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|\s(style|on[a-z]+)\s*=\s*[\"']|hx-on|\"js:"),
        in_template,
        bad='<button onclick="go()">Go</button>\n',
        good="<script src=\"{% static 'js/app.js' %}\" defer></script>\n",
    ),
    Rule(
        "no file names the host of a package registry",
        matches(r"\b(pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems|debian)\.(org|com|io)\b"),
        lambda path, _: path.suffix not in {".png", ".woff2", ".ico", ".mo"} and path.name != "axe.min.js",
        bad="index-url = https://" + "pypi" + ".org/simple\n",
        good="pip install --require-hashes -r requirements.lock\n",
    ),
    Rule(
        "a lock names no address",
        matches(r"://"),
        lambda path, _: path.suffix == ".lock" or path.name.startswith("requirements"),
        bad="six @ https://example.com/six.whl\n",
        good="six==1.17.0 \\\n    --hash=sha256:00\n",
    ),
)


@cache
def project() -> tuple[tuple[Path, str], ...]:
    """Return the project's text files, as they are in the folder."""
    skipped = {".git", ".venv", "var", "staticfiles", "node_modules", "__pycache__", "artefacts"}
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in skipped and not name.endswith("_cache")]
        for path in (Path(folder, name) for name in files):
            with contextlib.suppress(UnicodeDecodeError):
                found.append((path.relative_to(ROOT), path.read_text()))
    return tuple(sorted(found))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_catches_its_bad_sample_and_passes_its_good_one(rule: Rule) -> None:
    assert rule.find(rule.bad) != []
    assert rule.find(rule.good) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_project_keeps_the_rule(rule: Rule) -> None:
    looked_at = [(path, text) for path, text in project() if rule.looks_at(path, text)]
    assert looked_at, "the rule looks at no file"
    assert [f"{path} {one}" for path, text in looked_at for one in rule.find(text)] == []


def money_as_float(model: type[models.Model]) -> list[str]:
    """Money is a Decimal at borders and whole hundredths inside; a float loses a yen somewhere."""
    found = []
    for field in model._meta.concrete_fields:
        if field.name.endswith("_cents"):
            if not isinstance(field, models.BigIntegerField):
                found.append(f"{model.__name__}.{field.name} must be a BigIntegerField")
        elif MONEY.search(field.name) and isinstance(field, models.FloatField):
            found.append(f"{model.__name__}.{field.name} is a float")
    return found


def test_no_money_is_kept_as_float() -> None:
    assert [one for model in apps.get_models() for one in money_as_float(model)] == []


def test_money_kept_as_float_would_be_found() -> None:
    class Sample(models.Model):
        list_price = models.FloatField()
        mrr_cents = models.IntegerField()
        ratio = models.FloatField()

        class Meta:
            app_label = "kernel"
            managed = False

        def __str__(self) -> str:
            return "sample"

    del apps.all_models["kernel"]["sample"]
    assert money_as_float(Sample) == ["Sample.list_price is a float", "Sample.mrr_cents must be a BigIntegerField"]


@pytest.mark.parametrize("name", ["utils", "helpers", "services", "signals", "common", "misc"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    named = [path for path, _ in project() if in_app(path) and path.stem == name]
    assert named == []
