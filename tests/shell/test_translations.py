"""The check of the catalogues finds each kind of fault, and finds none in a good project."""

from __future__ import annotations

import pytest

from expansion import translations
from expansion.management.commands.check_translations import add_missing, check

CODE = """
from django.utils.translation import gettext as _, ngettext, pgettext
from expansion.errors import DomainError

class TooLate(DomainError):
    pass

def tell(n):
    _("Save %(name)s")
    pgettext("band", "Watch")
    return ngettext("%(n)s alert", "%(n)s alerts", n)
"""
TEMPLATE = '{% translate "Close" %} {% blocktranslate with x=y %}Hello {{ x }}, hello{% endblocktranslate %} <b>Kizashi</b>'
GOOD = (
    translations.HEADER
    + """
msgid "Save %(name)s"
msgstr "%(name)sを保存"

msgctxt "band"
msgid "Watch"
msgstr "注意が必要"

msgid "%(n)s alert"
msgid_plural "%(n)s alerts"
msgstr[0] "%(n)s件"

msgid "Close"
msgstr "閉じる"

msgid "Hello %(x)s, hello"
msgstr "%(x)sさん、こんにちは"
"""
)


@pytest.fixture
def project(tmp_path):
    """A small project whose catalogue is complete."""
    for folder in ("accounts", "expansion", "playbooks", "signals", "templates/triage"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "accounts/verbs.py").write_text(CODE)
    (tmp_path / "templates/triage/page.html").write_text(TEMPLATE)
    catalogue = translations.catalogue_of("accounts", root=tmp_path)
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(GOOD)
    return tmp_path


def spoil(project, before, after):
    path = translations.catalogue_of("accounts", root=project)
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_a_complete_project_has_no_fault(project):
    assert check(project) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        pytest.param('msgstr "閉じる"', 'msgstr ""', "No Japanese: 'Close'", id="empty"),
        pytest.param('msgid "Close"\nmsgstr "閉じる"\n', "", "No Japanese in any catalogue: 'Close'", id="missing"),
        pytest.param('msgid "Close"', '#, fuzzy\nmsgid "Close"', "Marked as doubtful (fuzzy): 'Close'", id="doubtful"),
        pytest.param("%(name)sを", "%(x)sを", "The placeholders differ (%(name)s): '%(x)sを保存'", id="other slot"),
        pytest.param("%(n)s件", "件", "The placeholders differ (%(n)s): '件'", id="a lost placeholder"),
        pytest.param("%(x)sさん、こんにちは", "Hello %(x)s", "Not Japanese: 'Hello %(x)s'", id="left in English"),
        pytest.param("Plural-Forms: nplurals=1;", "X: y;", "The header lacks Plural-Forms: nplurals=1; plural=0;", id="no rule"),
        pytest.param('msgid "Clo', 'msgid "Shut"\nmsgstr "閉"\n\nmsgid "Clo', "shows this text any more: 'Shut'", id="idle"),
        pytest.param('msgid "Clo', 'msgid "Close"\nmsgstr "閉"\n\nmsgid "Clo', "Twice in one catalogue: 'Close'", id="twice"),
        pytest.param('msgid_plural "%(n)s alerts"\nmsgstr[0]', "msgstr", "'%(n)s alerts': '%(n)s alert'", id="no plural"),
    ],
)  # fmt: skip
def test_a_faulty_catalogue_is_found(project, before, after, fault):
    spoil(project, before, after)
    found = check(project)
    assert [line for line in found if line.endswith(fault)], found


def test_two_catalogues_that_disagree_are_found(project):
    other = translations.catalogue_of("signals", root=project)
    other.parent.mkdir(parents=True)
    other.write_text(translations.HEADER + '\nmsgid "Close"\nmsgstr "終了"\n')
    where = "locale/ja/LC_MESSAGES/django.po"
    assert check(project) == [f"signals/{where}:9: 'Close' is '終了' here but '閉じる' in accounts/{where}."]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('raise TooLate("It is too late.")', "TooLate is shown to a person: hand it gettext(…)."),
        ('raise TooLate(f"It is too late for {n}.")', "TooLate is shown to a person: hand it gettext(…)."),
        ('return _(f"Save {n}")', "gettext() needs its text as it is, not a variable or an f-string."),
        ("return _(n)", "gettext() needs its text as it is, not a variable or an f-string."),
        ('return _("保存")', "The text in the code is Japanese; write it in English: '保存'"),
    ],
)
def test_code_that_cannot_be_translated_is_found(project, code, fault):
    (project / "accounts/verbs.py").write_text(f"{CODE}\n\ndef more(n):\n    {code}\n")
    assert [line for line in check(project) if line == f"accounts/verbs.py:15: {fault}"]


def test_a_refusal_may_name_a_field_beside_its_sentence(project):
    code = 'raise TooLate("until", _("Save %(name)s") % {"name": n})'
    (project / "accounts/verbs.py").write_text(f"{CODE}\n\ndef more(n):\n    {code}\n")
    assert check(project) == []


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>Nothing here</p>", "Nothing here"),
        ("<p>何もありません</p>", "何もありません"),
        ('<button aria-label="Close it">×</button>', "Close it"),
        ('<input placeholder="Search {{ name }}">', "Search"),
    ],
)
def test_bare_words_in_a_template_are_found(project, html, words):
    (project / "templates/triage/page.html").write_text(f"{TEMPLATE}\n{html}\n")
    assert check(project) == [f"templates/triage/page.html:2: Not translated: {words!r}"]


@pytest.mark.parametrize(
    "html",
    [
        '<b>NRR {{ n }}%</b> <span lang="ja">日本語</span> {# a note #} &nbsp; <kbd>J</kbd>',
        "{% block body_class %}wide{% endblock %}{% if n %}<b>{{ n }}</b>{% endif %}<script src='a.js'></script>",
    ],
)
def test_what_needs_no_translation_is_let_through(project, html):
    (project / "templates/triage/page.html").write_text(f"{TEMPLATE}\n{html}\n")
    assert check(project) == []


def test_missing_texts_are_appended_to_the_catalogue_of_their_app(project):
    (project / "templates/triage/page.html").write_text('{% translate "Undo" %}{% translate "Close" %}')
    assert add_missing(project, app="playbooks") == 1
    text = translations.catalogue_of("playbooks", root=project).read_text()
    assert text == f'{translations.HEADER}\n#: templates/triage/page.html\nmsgid "Undo"\nmsgstr ""\n'
    assert add_missing(project, app="playbooks") == 0


def test_the_folder_says_whose_catalogue_it_is():
    assert translations.app_of("templates/triage/page.html") == "playbooks"
    assert translations.app_of("templates/definitions/rule.html") == "dashboards"
    assert translations.app_of("expansion/dashboards/views.py") == "dashboards"
    assert translations.app_of("expansion/users/forms.py") == "kernel"
    assert translations.app_of("templates/base.html") == "kernel"


def test_compiling_writes_what_changed_and_nothing_else(project):
    compiled = translations.catalogue_of("accounts", root=project).with_suffix(".mo")
    assert translations.compile_all(root=project) == [compiled]
    assert translations.compile_all(root=project) == []
    assert b"\xe9\x96\x89\xe3\x81\x98\xe3\x82\x8b" in compiled.read_bytes()
