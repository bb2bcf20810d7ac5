"""The icons of the product, drawn on a grid of 16 with the colour of the text."""

# ruff: noqa: E501  (a path is one line)

from __future__ import annotations

ICONS = {
    "bldg": '<path d="M3.5 13.5v-11h6v11M9.5 6.5h3v7M2 13.5h12M5.5 5h2M5.5 7.5h2M5.5 10h2"/>',
    "cal": '<rect x="2.5" y="3.5" width="11" height="10" rx="1.2"/><path d="M2.5 6.8h11M5.5 2v3M10.5 2v3"/>',
    "cap": '<path d="M2.5 11.5a5.5 5.5 0 1 1 11 0M8 11.5l2.6-3.6"/>',
    "chart": '<path d="M2.5 13.5h11M4.5 11V8M8 11V4M11.5 11V6"/>',
    "check": '<path d="M3 8.6l3.2 3.2L13 5"/>',
    "chev": '<path d="M4 6.3l4 4 4-4"/>',
    "chevl": '<path d="M9.7 4l-4 4 4 4"/>',
    "chevr": '<path d="M6.3 4l4 4-4 4"/>',
    "clock": '<circle cx="8" cy="8" r="5.6"/><path d="M8 4.8v3.4l2.1 1.6"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1"/><path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2"/>',
    "cross": '<path d="M2.5 8h11M8 2.5v11"/>',
    "dl": '<path d="M8 2.5v7M5 7l3 3 3-3M3 13h10"/>',
    "doc": '<path d="M4 2.5h5l3 3v8H4zM9 2.5v3h3M6 8.5h4M6 11h4"/>',
    "dots": '<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" stroke-width="2.4"/>',
    "down": '<path d="M8 3v9.5M4 8.8l4 4 4-4"/>',
    "ext": '<path d="M6.5 3.5h-3v9h9v-3M9 2.5h4.5V7M13.3 2.7L7.5 8.5"/>',
    "eye": '<path d="M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8z"/><circle cx="8" cy="8" r="1.8"/>',
    "feat": '<path d="M8 2.5l1.3 4.2L13.5 8l-4.2 1.3L8 13.5 6.7 9.3 2.5 8l4.2-1.3z"/>',
    "filter": '<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>',
    "flag": '<path d="M4 14V2.5M4 3h8l-2 2.8L12 8.5H4"/>',
    "flask": '<path d="M6.2 2.5h3.6M7 2.5v4L3.7 12a1 1 0 0 0 .9 1.5h6.8a1 1 0 0 0 .9-1.5L9 6.5v-4M5.3 9.5h5.4"/>',
    "hist": '<path d="M2.8 5.2A5.6 5.6 0 1 1 2.5 9M2.5 2.8v2.6h2.6M8 5v3.2l2.2 1.4"/>',
    "info": '<circle cx="8" cy="8" r="5.6"/><path d="M8 7.4v3.4M8 5.1v.1"/>',
    "key": '<circle cx="5" cy="8" r="2.7"/><path d="M7.7 8h6M11.5 8v2.5"/>',
    "list": '<path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01"/>',
    "logout": '<path d="M9.5 3h-6v10h6M6.5 8h7M11 5.5L13.5 8 11 10.5"/>',
    "mail": '<rect x="2.5" y="3.5" width="11" height="9" rx="1"/><path d="M2.8 4.3L8 8.6l5.2-4.3"/>',
    "minus": '<path d="M3 8h10"/>',
    "pencil": '<path d="M3 13l.6-2.7 7.5-7.5 2.1 2.1-7.5 7.5zM9.6 4.3l2.1 2.1"/>',
    "play": '<path d="M5 3.5l7.5 4.5L5 12.5z"/>',
    "plug": '<path d="M6 2v3M10 2v3M4 5h8v2.5a4 4 0 0 1-8 0zM8 11.5V14"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "print": '<path d="M4.5 6V2.5h7V6M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7v4h-7z"/>',
    "q": '<circle cx="8" cy="8" r="5.6"/><path d="M6.3 6.4c.2-1 .9-1.5 1.8-1.5 1 0 1.7.6 1.7 1.5 0 1.3-1.7 1.3-1.7 2.6M8.1 11.1v.1"/>',
    "search": '<circle cx="7" cy="7" r="4.3"/><path d="M10.2 10.2L14 14"/>',
    "seat": '<circle cx="7" cy="5.5" r="2.5"/><path d="M2.5 13c.4-2.6 2.1-3.9 4.5-3.9M11.5 9v5M9 11.5h5"/>',
    "share": '<path d="M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9a2.6 2.6 0 0 0 3.7 3.7l.8-.8"/>',
    "shield": '<path d="M8 2.2l5 1.8v4c0 3-2 5-5 6-3-1-5-3-5-6V4z"/>',
    "stop": '<path d="M5.6 2.5h4.8l3.1 3.1v4.8l-3.1 3.1H5.6l-3.1-3.1V5.6zM5.5 8h5"/>',
    "swap": '<path d="M3 5.5h9.5L10 3M13 10.5H3.5L6 13"/>',
    "table": '<rect x="2.5" y="3" width="11" height="10" rx="1"/><path d="M2.5 6.3h11M2.5 9.6h11M6.5 6.3V13"/>',
    "tune": '<path d="M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6"/><circle cx="10" cy="5" r="1.5"/><circle cx="6" cy="11" r="1.5"/>',
    "undo": '<path d="M5.5 3.5l-3 3 3 3M2.5 6.5h7a3.5 3.5 0 0 1 0 7H7"/>',
    "up": '<path d="M8 13V3.5M4 7.2l4-4 4 4"/>',
    "upload": '<path d="M8 9.5v-7M5 5l3-3 3 3M3 13h10"/>',
    "upsell": '<path d="M8 13V3.5M4 7.2l4-4 4 4"/>',
    "user": '<circle cx="8" cy="5.3" r="2.6"/><path d="M3 13.5c.5-2.8 2.4-4.2 5-4.2s4.5 1.4 5 4.2"/>',
    "useradd": '<circle cx="6.5" cy="5.5" r="2.5"/><path d="M1.8 13c.4-2.6 2.2-3.9 4.7-3.9 1.3 0 2.4.4 3.2 1.1M12 8v5M9.5 10.5h5"/>',
    "users": '<circle cx="6" cy="5.8" r="2.3"/><path d="M1.8 13c.4-2.4 2-3.6 4.2-3.6s3.8 1.2 4.2 3.6M10.6 3.8a2.2 2.2 0 0 1 0 4.2M11.9 9.8c1.4.4 2.1 1.6 2.4 3.2"/>',
    "warn": '<path d="M8 2.6l6 10.6H2zM8 6.6v3M8 11.4v.1"/>',
    "x": '<path d="M4 4l8 8M12 4l-8 8"/>',
}

# One glyph per health band; the shapes can be told apart without colour.
BANDS = {
    "excellent": '<circle cx="8" cy="8" r="6"/><circle cx="8" cy="8" r="2.4" fill="currentColor" stroke="none"/>',
    "healthy": '<circle cx="8" cy="8" r="5.6"/>',
    "watch": '<path d="M8 2.6l6 10.4H2z"/>',
    "act_now": '<path d="M3.6 3.6l8.8 8.8M12.4 3.6l-8.8 8.8"/>',
    "insufficient": '<path d="M3 8h2.4M6.8 8h2.4M10.6 8H13"/>',
}

LOGO = (
    '<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" '
    'stroke-linecap="round" stroke-linejoin="round"><path d="M2 11h20" stroke-width="1.6" stroke-dasharray="2.6 2.6"/>'
    '<path d="M3 19.5l5-2.6 4-5.9 4 1.6L21 4" stroke-width="2.4"/>'
    '<circle cx="12" cy="11" r="2.6" fill="currentColor" stroke="none"/></svg>'
)
