"""How a benchmark is measured here: ratios within one run, never seconds across runs.

Each case runs in a fresh process of its own, the cases take turns, and the median of the repeats counts.
A benchmark is a module with

    TITLE     what it measures
    CASES     {name: function(size) -> seconds}, the first one ours
    GOALS     {(ours, peer): (ratio, "at most" | "at least")}: ours ÷ peer at most, or peer ÷ ours at least
    prepare   function(size): fills the empty database, once
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"XS": 400, "S": 2_000, "M": 20_000, "L": 100_000}
REPS = {"XS": 5, "S": 10, "M": 100, "L": 500}


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Start private servers and yield the environment of the cases."""
    from expansion.serve.servers import private_servers  # noqa: PLC0415  (one thread for arithmetic must be set before)

    with tempfile.TemporaryDirectory(prefix="kizashi-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        addresses = private_servers(Path(folder) / "servers")
        (Path(folder) / "servers").mkdir()
        (Path(folder) / "data").mkdir()
        with addresses as given:
            yield os.environ | {
                "DATABASE_URL": given.database_url,
                "REDIS_URL": given.redis_url,
                "KIZASHI_DATA_DIR": str(Path(folder) / "data"),
                "DJANGO_SETTINGS_MODULE": "expansion.settings",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "BENCH_FOLDER": str(Path(folder) / "data"),
            }


def measure(name: str, *, sizes: list[str], repeats: int) -> list[dict[str, Any]]:
    """Run one benchmark at the sizes; return a row per case, with its ratio to the goals."""
    rows: list[dict[str, Any]] = []
    for size in sizes:
        with servers() as environment:
            told = json.loads(_child(name, "prepare", size, environment))
            taken: dict[str, list[float]] = {case: [] for case in told["cases"]}
            for _ in range(repeats):
                for case in taken:
                    taken[case].append(float(_child(name, case, size, environment)))
        medians = {case: statistics.median(times) for case, times in taken.items()}
        rows.append(
            {"benchmark": name, "size": size, "seconds": medians, "goals": [_judged(goal, medians) for goal in told["goals"]]}
        )
    return rows


def _judged(goal: list[Any], medians: dict[str, float]) -> dict[str, Any]:
    ours, peer, limit, kind = goal
    ratio = medians[ours] / medians[peer] if kind == "at most" else medians[peer] / medians[ours]
    is_met = ratio <= limit if kind == "at most" else ratio >= limit
    return {"ours": ours, "peer": peer, "ratio": ratio, "goal": limit, "kind": kind, "met": is_met}


def _child(name: str, case: str, size: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench.timing", "--case", f"{name}.{case}", "--size", size],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name}.{case} failed:\n{done.stderr[-4000:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def report(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(f"\n{row['benchmark']}, size {row['size']} ({SIZES[row['size']]:,} customers)")
        for case, seconds in row["seconds"].items():
            print(f"  {case:<40} {seconds * 1000:>10.1f} ms")
        for goal in row["goals"]:
            what = "of" if goal["kind"] == "at most" else "× faster than"
            verdict = "met" if goal["met"] else "MISSED"
            print(
                f"  {goal['ours']} takes {goal['ratio']:.2f} {what} {goal['peer']} (goal: {goal['kind']} {goal['goal']}) {verdict}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", help="benchmarks to run (default: all)")
    parser.add_argument("--size", action="append", choices=list(SIZES), help="S by default; may be repeated")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        _run_case(options.case, options.size[0])
        return
    from bench import MODULES  # noqa: PLC0415

    rows = [row for name in options.names or MODULES for row in measure(name, sizes=options.size or ["S"], repeats=options.repeats)]
    if options.json:
        print(json.dumps(rows))
    else:
        report(rows)


def _run_case(case: str, size: str) -> None:
    import django  # noqa: PLC0415

    django.setup()
    name, _, function = case.partition(".")
    module = importlib.import_module(f"bench.{name}")
    if function == "prepare":
        from django.core.management import call_command  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        module.prepare(size)
        goals = [(*pair, *goal) for pair, goal in module.GOALS.items()]
        print(json.dumps({"cases": list(module.CASES), "goals": goals}))
    else:
        print(repr(module.CASES[function](size)))


if __name__ == "__main__":
    main()
