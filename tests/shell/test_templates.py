"""Every template of the project: nothing that the content security policy would block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
STYLES = sorted((settings.BASE_DIR / "static" / "css").glob("*.css"))
BLOCKED = {
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "an inline style": r"<style\b",
    "an inline script": r"<script\b(?![^>]*\b(?:src|type=\"application/json\"))",
    "a handler": r"<[^>]*\son[a-z]+\s*=",
    "hx-on": r"\bhx-on\b",
    "a value that htmx would run": r"(?:hx-vals|hx-headers)=['\"]js:",
    "a filter in hx-trigger": r"hx-trigger=\"[^\"]*\[",
    "a file of somebody else": r"(?:src|href)=\"(?:https?:)?//",
    "safe": r"\|\s*safe\b|\{%\s*autoescape off",
    "javascript in an address": r"javascript:",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR / "templates")))
def test_nothing_in_a_template_needs_a_weaker_policy(path: Path):
    get_template(str(path.relative_to(settings.BASE_DIR / "templates")))
    source = path.read_text()
    found = [what for what, pattern in BLOCKED.items() if re.search(pattern, source)]
    assert found == []


@pytest.mark.parametrize(
    ("what", "sample"),
    [
        ("a style attribute", '<i class="x" style="--w:4"></i>'),
        ("an inline style", "<style>a{}</style>"),
        ("an inline script", "<script>go()</script>"),
        ("a handler", '<button onclick="print()">'),
        ("hx-on", '<a hx-on:click="x">'),
        ("a value that htmx would run", "<a hx-vals='js:{a:1}'>"),
        ("a filter in hx-trigger", '<a hx-trigger="keyup[key==1]">'),
        ("a file of somebody else", '<script src="https://cdn.example/x.js">'),
        ("safe", "{{ name|safe }}"),
        ("javascript in an address", '<a href="javascript:x()">'),
    ],
)
def test_the_patterns_catch_what_they_name(what, sample):
    assert re.search(BLOCKED[what], sample)


@pytest.mark.parametrize(
    "sample",
    ['<script type="application/json" id="x">', '<script src="/static/x.js" defer>', '<a href="/x?style=1" data-on="y">'],
)
def test_the_patterns_let_through_what_is_fine(sample):
    assert [what for what, pattern in BLOCKED.items() if re.search(pattern, sample)] == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles_call_no_other_host_and_stand_in_a_layer(path: Path):
    source = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    assert re.findall(r"url\((?!\.\./fonts/|[\"']?data:image/svg)[^)]*\)", source) == []
    assert source.count("{") == source.count("}")
    if path.name != "plotly.css":
        outside = re.sub(r"@layer [^{;]*;", "", source)
        while re.search(r"\{[^{}]*\}", outside):
            outside = re.sub(r"\{[^{}]*\}", "", outside)
        heads = set(outside.split("\n")) - {""}
        assert all(re.match(r"\s*(@layer|@font-face|:root|@media)", head) for head in heads), heads


def test_the_fonts_come_with_their_licence():
    fonts = settings.BASE_DIR / "static" / "fonts"
    assert {path.suffix for path in fonts.iterdir()} == {".woff2", ".txt"}
    assert "SIL OPEN FONT LICENSE" in (fonts / "OFL.txt").read_text().upper()
