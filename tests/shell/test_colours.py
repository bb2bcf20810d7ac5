"""The colours of both themes: text and marks can be read, and the bands told apart by eyes that see fewer colours."""

from __future__ import annotations

import math
import re
from itertools import combinations

import pytest
from django.conf import settings

TOKENS = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
# foreground, background, least contrast (WCAG 2.2: 4.5 for text, 3 for borders of controls and marks in charts)
PAIRS = """
    ink surface 4.5 · ink paper 4.5 · ink sunken 4.5 · ink-2 surface 4.5 · ink-2 paper 4.5 · ink-2 sunken 4.5
    ink-3 surface 4.5 · ink-3 paper 4.5 · ink-3 sunken 4.5 · ink-3 accent-tint 4.5 · ink-2 accent-tint 4.5 · ink accent-tint 4.5
    accent surface 4.5 · accent paper 4.5 · accent sunken 4.5 · accent accent-tint 4.5 · on-accent accent 4.5
    on-accent accent-hover 4.5 · b1 b1-tint 4.5 · b2 b2-tint 4.5 · b3 b3-tint 4.5 · b4 b4-tint 4.5
    b1 surface 4.5 · b2 surface 4.5 · b3 surface 4.5 · b4 surface 4.5 · caution caution-tint 4.5 · stop stop-tint 4.5
    ink caution-tint 4.5 · ink stop-tint 4.5 · ink-2 caution-tint 4.5 · ink-2 stop-tint 4.5 · up surface 4.5 · down surface 4.5
    line-strong surface 3 · line-strong paper 3 · b1-fill surface 3 · b2-fill surface 3 · b3-fill surface 3 · b4-fill surface 3
    neutral surface 3 · caution-line surface 3 · stop-line surface 3 · accent line 3
"""
# Machado, Oliveira and Fernandes 2009, full severity, for linear light.
EYES = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def theme(name: str) -> dict[str, tuple[float, float, float]]:
    """Return the theme's colours as linear light."""
    start = TOKENS.index(":root {") if name == "light" else TOKENS.index(":root[data-theme=dark] {")
    block = TOKENS[start : TOKENS.index("}", start)]
    return {key: linear(value) for key, value in re.findall(r"--([\w-]+):\s*#(\w{6});", block)}


def linear(code: str) -> tuple[float, float, float]:
    parts = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def contrast(one, other) -> float:
    bright, dim = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def lab(light) -> tuple[float, float, float]:
    r, g, b = light
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(light, eye: str):
    return tuple(min(1, max(0, sum(k * part for k, part in zip(row, light, strict=True)))) for row in EYES[eye])


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("pair", re.split(r"·|\n", PAIRS.strip()))
def test_contrast(name, pair):
    front, back, least = pair.split()
    colours = theme(name)
    assert contrast(colours[front], colours[back]) >= float(least)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eye", list(EYES))
def test_no_two_bands_look_alike(name, eye):
    fills = {band: lab(seen(theme(name)[f"{band}-fill"], eye)) for band in ("b1", "b2", "b3", "b4")}
    nearest = min(math.dist(fills[one], fills[other]) for one, other in combinations(fills, 2))
    assert nearest >= 16


def test_both_ways_into_the_dark_have_the_same_colours():
    blocks = re.findall(r"\{\s*color-scheme:\s*dark;(.*?)\}", TOKENS, re.DOTALL)
    assert len(blocks) == 2
    assert len({re.sub(r"\s", "", block) for block in blocks}) == 1
