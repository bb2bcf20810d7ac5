"""``./run bench [NAME …] [--size S|M|L] [--repeats N] [--json]``."""

from __future__ import annotations

from bench.timing import main

main()
