"""From the columns of a source to the columns of a dataset, as a mapping file (YAML) says.

Per target column, in this order::

    from: name | [name, …]     the cell; of several the first that is not empty
    const: text                the value itself; beside ``from``, what an empty cell becomes
    map: {given: wanted}       each value by a table; "*" catches the rest, without it an unknown value is refused,
                               "" is what an empty cell becomes
    date: "%d/%m/%Y"           the format of a date that is not one of ours (a list: the first that fits; unix, unix_ms)
    prefix: text               put before what is not empty
    scale: 0.01                times that number
    add_hours: 24 | name       later by that many hours, or by what a column says
    lookup: line_id            the cell is a contract line: the customer is the one of that line
    json: {key: name, …}       a JSON object made of several columns; empty ones are left out

A bare name is short for ``from``.  ``when`` takes only rows whose column has (one of) the given value(s), "*" meaning
any but empty.  ``emit`` is a list of such blocks, each making a row of its own out of the same source row.  The
mapping is all there is: a column that it does not name is not read, and listed as unused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from accounts.datasets import Dataset, header_names, plain_header
from accounts.imports import values
from accounts.imports.parsing import Cells, Chunk, FileRefused, Lines

_RULE_KEYS: Final = frozenset({"from", "const", "map", "date", "prefix", "scale", "add_hours", "lookup", "json"})
_BLOCK_KEYS: Final = frozenset({"columns", "when"})
_FILE_KEYS: Final = _BLOCK_KEYS | {"dataset", "emit"}
_REST = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one target column is filled."""

    sources: tuple[str, ...] = ()
    const: str = ""
    table: Mapping[str, str] | None = None
    formats: tuple[str, ...] = ()
    prefix: str = ""
    scale: Decimal | None = None
    hours: Decimal | None = None
    hours_from: str = ""
    is_lookup: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """One target row per source row, for the source rows that meet ``when``."""

    rules: Mapping[str, Rule]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A mapping bound to the header of a file."""

    dataset: Dataset
    header: tuple[str, ...]
    blocks: tuple[Block, ...]
    unused: tuple[str, ...]

    @property
    def given(self) -> frozenset[str]:
        """The target columns that the file says anything about."""
        return frozenset(name for block in self.blocks for name in block.rules)

    @property
    def width(self) -> int:
        return len(self.blocks)


@dataclass(frozen=True, slots=True)
class Problem:
    """A cell that the mapping could not carry over."""

    column: str
    value: str
    key: str
    details: dict[str, str]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Target rows of a chunk: ``origin`` says from which of its rows each came, ``names`` how the source calls a column."""

    lines: Lines
    origin: npt.NDArray[np.int64]
    cells: dict[str, Cells]
    names: dict[str, str]
    problems: dict[int, Problem]
    is_lookup: bool


def parse(text: str, *, dataset: Dataset) -> dict[str, Any]:
    """Read a mapping file.  Return it as plain data, to be kept with the batch; refuse what makes no sense."""
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = error.problem_mark.line + 1 if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark else 1
        raise FileRefused("mapping_not_yaml", line=line) from None
    if not isinstance(given, dict):
        raise FileRefused("mapping_not_yaml", line=1)
    plain: dict[str, Any] = json.loads(json.dumps(given, default=str, ensure_ascii=False))
    if plain.get("dataset", dataset.name) != dataset.name:
        raise FileRefused("mapping_for_other_dataset", dataset=plain["dataset"])
    blocks_of(plain, dataset=dataset)
    return plain


def blocks_of(given: Mapping[str, Any], *, dataset: Dataset) -> tuple[Block, ...]:
    """Read the blocks of a mapping; what stands beside ``emit`` holds for all of them."""
    columns = given.get("columns", {})
    if not isinstance(columns, dict):
        raise FileRefused("mapping_not_yaml", line=1)
    columns = {**columns, **{name: rule for name, rule in given.items() if name not in _FILE_KEYS}}
    common, when = _rules(columns, dataset), _conditions(given.get("when", {}))
    emitted = given.get("emit")
    if emitted is None:
        blocks: tuple[Block, ...] = (Block(common, when),)
    else:
        if not isinstance(emitted, list) or not emitted or not all(isinstance(one, dict) for one in emitted):
            raise FileRefused("mapping_emit_not_list")
        blocks = ()
        for one in emitted:
            block = one if set(one) & _BLOCK_KEYS else {"columns": one}
            _known(block, _BLOCK_KEYS)
            rules = {**common, **_rules(block.get("columns", {}), dataset)}
            blocks += (Block(rules, {**when, **_conditions(block.get("when", {}))}),)
    for block in blocks:
        missing = [name for name in dataset.required if name not in block.rules]
        if missing:
            raise FileRefused("mapping_lacks_columns", columns=", ".join(missing))
    return blocks


def plan(dataset: Dataset, header: tuple[str, ...], *, mapping: Mapping[str, Any] | None = None) -> Plan:
    """Bind a mapping to a header; without one the header's names in either language say what is what."""
    if mapping is None:
        return _plan_by_names(dataset, header)
    places = {plain_header(name): name for name in header}
    blocks: list[Block] = []
    used: set[str] = set()

    def found(name: str) -> str:
        if plain_header(name) not in places:
            raise FileRefused("mapping_names_no_column", column=name, header=", ".join(header))
        used.add(places[plain_header(name)])
        return places[plain_header(name)]

    for block in blocks_of(mapping, dataset=dataset):
        rules = {
            target: Rule(
                tuple(map(found, rule.sources)), rule.const, rule.table, rule.formats, rule.prefix, rule.scale, rule.hours,
                found(rule.hours_from) if rule.hours_from else "", rule.is_lookup,
                {key: found(name) for key, name in rule.parts.items()},
            )
            for target, rule in block.rules.items()
        }  # fmt: skip
        blocks.append(Block(rules, {found(name): allowed for name, allowed in block.when.items()}))
    return Plan(dataset, header, tuple(blocks), tuple(name for name in header if name and name not in used))


def rows(plan: Plan, chunk: Chunk, *, zone: ZoneInfo) -> tuple[list[Mapped], int]:
    """Return the target rows of a chunk, one batch per block, and how many source rows no block took."""
    columns = dict(zip(plan.header, chunk.columns, strict=True))
    taken = np.zeros(len(chunk), dtype=bool)
    mapped = []
    for block in plan.blocks:
        wanted = _meets(block.when, columns, len(chunk))
        taken |= wanted
        origin = np.flatnonzero(wanted)
        if origin.size == len(chunk):
            mapped.append(_mapped(block, columns, chunk.lines, origin, zone=zone))
        elif origin.size:
            chosen = {name: cells[origin] for name, cells in columns.items()}
            mapped.append(_mapped(block, chosen, chunk.lines[origin], origin, zone=zone))
    return mapped, int(len(chunk) - taken.sum())


def _plan_by_names(dataset: Dataset, header: tuple[str, ...]) -> Plan:
    names = header_names(dataset)
    rules: dict[str, Rule] = {}
    unused = []
    for name in header:
        target = names.get(plain_header(name))
        if target is None:
            if name:
                unused.append(name)
        elif target in rules:
            raise FileRefused("column_given_twice", column=target, first=rules[target].sources[0], second=name)
        else:
            rules[target] = Rule(sources=(name,))
    missing = [name for name in dataset.required if name not in rules]
    if missing:
        raise FileRefused("columns_missing", columns=", ".join(missing), header=", ".join(header))
    return Plan(dataset, header, (Block(rules),), tuple(unused))


def _known(given: Mapping[str, Any], allowed: frozenset[str]) -> None:
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise FileRefused("mapping_unknown_word", word=unknown[0], allowed=", ".join(sorted(allowed)))


def _rules(given: Any, dataset: Dataset) -> dict[str, Rule]:
    if not isinstance(given, dict):
        raise FileRefused("mapping_not_yaml", line=1)
    targets = {plain_header(column.name): column.name for column in dataset.columns}
    rules = {}
    for name, rule in given.items():
        target = targets.get(plain_header(str(name)))
        if target is None:
            raise FileRefused("mapping_unknown_target", column=name, allowed=", ".join(targets.values()))
        rules[target] = _rule(rule, target)
    return rules


def _rule(given: Any, target: str) -> Rule:
    if not isinstance(given, dict):
        return Rule(sources=_names(given))
    _known(given, _RULE_KEYS)
    hours = given.get("add_hours")
    table = given.get("map")
    if table is not None and not isinstance(table, dict):
        raise FileRefused("mapping_unknown_word", word="map", allowed="{given: wanted}")
    if "lookup" in given and target != "customer_id":
        raise FileRefused("mapping_lookup_elsewhere", column=target)
    try:
        return Rule(
            sources=_names(given["from"]) if "from" in given else (),
            const=_written(given.get("const")),
            table=None if table is None else {_written(key): _written(value) for key, value in table.items()},
            formats=_names(given["date"]) if "date" in given else (),
            prefix=_written(given.get("prefix")),
            scale=None if "scale" not in given else Decimal(str(given["scale"])),
            hours=Decimal(str(hours)) if isinstance(hours, int | float) else None,
            hours_from=hours if isinstance(hours, str) else "",
            is_lookup="lookup" in given,
            parts={str(key): str(name) for key, name in given.get("json", {}).items()},
        )
    except InvalidOperation:
        raise FileRefused("mapping_scale_not_number", column=target) from None


def _conditions(given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        raise FileRefused("mapping_not_yaml", line=1)
    return {str(name): _names(allowed) if allowed != "" else ("",) for name, allowed in given.items()}


def _names(given: Any) -> tuple[str, ...]:
    return tuple(map(_written, given if isinstance(given, list) else [given]))


def _written(value: Any) -> str:
    """YAML reads yes, 1 and 2026-03-01 as something else; here all is text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value)


def _meets(when: Mapping[str, tuple[str, ...]], columns: Mapping[str, Cells], count: int) -> npt.NDArray[np.bool_]:
    wanted = np.ones(count, dtype=bool)
    for name, allowed in when.items():
        words = {word.casefold() for word in allowed}

        def fits(cell: str, words: set[str] = words) -> bool:
            cell = cell.strip().casefold()
            return cell in words or (_REST in words and cell != "")

        wanted &= np.fromiter(map(fits, columns[name]), dtype=bool, count=count)
    return wanted


def _mapped(block: Block, columns: Mapping[str, Cells], lines: Lines, origin: npt.NDArray[np.int64], *, zone: ZoneInfo) -> Mapped:
    cells: dict[str, Cells] = {}
    names: dict[str, str] = {}
    problems: dict[int, Problem] = {}
    for target, rule in block.rules.items():
        names[target] = rule.sources[0] if rule.sources else target
        cells[target] = _filled(rule, columns, len(lines), names[target], problems, zone=zone)
    customer = block.rules.get("customer_id")
    return Mapped(lines, origin, cells, names, problems, customer is not None and customer.is_lookup)


def _filled(
    rule: Rule, columns: Mapping[str, Cells], count: int, name: str, problems: dict[int, Problem], *, zone: ZoneInfo
) -> Cells:
    if rule.parts:
        return _objects([_object({key: columns[of][row] for key, of in rule.parts.items()}) for row in range(count)])
    base = _first_of([columns[name] for name in rule.sources], rule.const, count)
    change = _change(rule, zone)
    filled = base
    if change is not None:
        codes, distinct = pd.factorize(base)
        changed: list[str] = []
        bad: dict[int, Problem] = {}
        for code, text in enumerate(distinct):
            try:
                changed.append(change(text.strip()))
            except values.Refused as refused:
                changed.append("")
                bad[code] = Problem(name, text, refused.key, refused.details)
        filled = _objects(changed)[codes] if changed else base
        for place in np.flatnonzero(np.isin(codes, list(bad))).tolist():
            problems.setdefault(place, bad[int(codes[place])])
    if rule.hours_from:
        filled = filled.copy()
        for row, (text, hours) in enumerate(zip(filled, columns[rule.hours_from], strict=True)):
            if not text.strip() or not hours.strip():
                filled[row] = ""
                continue
            try:
                filled[row] = _later(text.strip(), values.as_decimal(hours.strip()), zone)
            except values.Refused as refused:
                problems.setdefault(row, Problem(rule.hours_from, hours, refused.key, refused.details))
    return filled


def _first_of(given: list[Cells], const: str, count: int) -> Cells:
    """Return the first non-empty cell of each row, or the constant."""
    if len(given) == 1 and not const:
        return given[0]
    filled = _objects([const] * count)
    for cells in reversed(given):
        has = np.fromiter((bool(cell.strip()) for cell in cells), dtype=bool, count=count)
        filled[has] = cells[has]
    return filled


def _change(rule: Rule, zone: ZoneInfo) -> Callable[[str], str] | None:
    """Return what turns one cell into another, or None where it stays as it is."""
    steps: list[Callable[[str], str]] = []
    if rule.table is not None:
        table = {**{key.casefold(): value for key, value in rule.table.items()}, **rule.table}
        steps.append(lambda text: _translated(text, table))
    if rule.formats:
        steps.append(lambda text: values.as_formatted(text, formats=rule.formats, zone=zone) if text else text)
    if rule.prefix:
        steps.append(lambda text: rule.prefix + text if text else text)
    if rule.scale is not None:
        scale = rule.scale
        steps.append(lambda text: format(values.as_decimal(text) * scale, "f") if text else text)
    if rule.hours is not None:
        hours = rule.hours
        steps.append(lambda text: _later(text, hours, zone) if text else text)
    if not steps:
        return None

    def change(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return change


def _translated(text: str, table: Mapping[str, str]) -> str:
    if not text:
        return table.get("", "")
    for word in (text, text.casefold(), _REST):
        if word in table:
            return table[word]
    raise values.Refused("not_in_map", allowed=", ".join(key for key in table if key))


def _later(text: str, hours: Decimal, zone: ZoneInfo) -> str:
    """Return the instant so many hours later; a day moved by whole days stays a day."""
    moved = values.as_instant(text, zone=zone) + timedelta(microseconds=int(hours * 3_600_000_000))
    if hours % 24 == 0 and ":" not in text and "時" not in text:
        return (values.as_date(text, zone=zone) + timedelta(days=int(hours) // 24)).isoformat()
    return moved.isoformat()


def _object(parts: dict[str, str]) -> str:
    told = {key: text.strip() for key, text in parts.items() if text.strip()}
    return json.dumps(told, ensure_ascii=False) if told else ""


def _objects(cells: list[str]) -> Cells:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array
