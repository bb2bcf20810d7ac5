"""Move many rows between PostgreSQL and frames: COPY both ways, and one conflict-aware merge.

The border where numpy scalars, NaN, NaT and pd.NA become SQL: they leave as NULL.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from django.db import connection, transaction
from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_ROWS_AT_ONCE = 50_000
_STAGE = "kizashi_stage"


def copy_to_frame(query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a SELECT as a frame, several times faster and smaller than read_sql.

    ``dtypes`` names every column of the query in order, with a pandas dtype, or ``date``
    (datetime64[s]), ``instant`` (datetime64[us, UTC]) or ``bool``.  An integer column that may be
    NULL needs ``Int64`` or ``float64``; NULL text arrives as an empty string.
    """
    buffer = io.StringIO()
    with connection.cursor() as cursor:
        statement = cursor.cursor.mogrify(query, params or None)
        text = statement.decode() if isinstance(statement, bytes) else statement
        cursor.cursor.copy_expert(f"COPY ({text}) TO STDOUT WITH (FORMAT csv)", buffer)
    buffer.seek(0)
    special = {"date", "instant", "bool"}
    frame = pd.read_csv(
        buffer, header=None, names=list(dtypes), keep_default_na=False,
        na_values={n: [""] for n, t in dtypes.items() if t != "str"},
        dtype={name: ("str" if kind in special else kind) for name, kind in dtypes.items()},
    )  # fmt: skip
    for name, kind in dtypes.items():
        if kind == "date":
            frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d", errors="raise").astype("datetime64[s]")
        elif kind == "instant":
            frame[name] = pd.to_datetime(frame[name], format="ISO8601", utc=True).astype("datetime64[us, UTC]")
        elif kind == "bool":
            frame[name] = frame[name] == "t"
        elif kind == "str":
            frame[name] = frame[name].fillna("")
    return frame


def copy_rows(table: str, frame: pd.DataFrame) -> int:
    """Append the frame to the table; its columns are the table's.  Return how many rows went in.

    Text, Decimal, date and JSON text go as they print; nullable integers must be ``Int64`` or
    whole numbers; bytes are hex-encoded for bytea.
    """
    if frame.empty:
        return 0
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _columns(frame.columns))
    with connection.cursor() as cursor:
        for start in range(0, len(frame), _ROWS_AT_ONCE):
            cursor.cursor.copy_expert(statement.as_string(cursor.cursor), _as_copy_text(frame.iloc[start : start + _ROWS_AT_ONCE]))
    return len(frame)


@transaction.atomic
def copy_upsert(
    table: str, frame: pd.DataFrame, *, keys: Sequence[str], update: Iterable[str] | None = None, same: Iterable[str] | None = None
) -> tuple[int, int]:
    """Merge the frame into the table by its unique ``keys``; return (inserted, changed).

    A row that is equal in the ``same`` columns (default: every updated column) is not rewritten.
    ``update`` defaults to all columns that are no key; an empty one inserts only.
    Keys must not repeat inside the frame.
    """
    if frame.empty:
        return 0, 0
    columns = list(frame.columns)
    updated = [c for c in columns if c not in keys] if update is None else list(update)
    compared = updated if same is None else list(same)
    target, stage = sql.Identifier(table), sql.Identifier(_STAGE)
    action = sql.SQL("DO NOTHING")
    if updated:
        action = sql.SQL("DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
            sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in updated),
            sql.SQL(", ").join(sql.SQL("{}.{}").format(target, sql.Identifier(c)) for c in compared),
            sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(sql.Identifier(c)) for c in compared),
        )
    parts = {"t": target, "s": stage, "c": _columns(columns), "k": _columns(keys), "a": action}
    with connection.cursor() as cursor:

        def run(statement: str) -> None:
            cursor.execute(sql.SQL(statement).format(**parts).as_string(cursor.cursor))

        run("DROP TABLE IF EXISTS {s}")
        run("CREATE TEMP TABLE {s} ON COMMIT DROP AS SELECT {c} FROM {t} WITH NO DATA")
        copy_rows(_STAGE, frame)
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", [table])
        if cursor.fetchone()[0]:
            # A partitioned table does not tell fresh rows from changed ones, so the known keys are counted first.
            run("SELECT count(*) FROM {s} JOIN {t} USING ({k})")
            inserted = len(frame) - cursor.fetchone()[0]
            run("INSERT INTO {t} ({c}) SELECT {c} FROM {s} ON CONFLICT ({k}) {a}")
            changed = cursor.rowcount - inserted
        else:
            run(
                "WITH merged AS (INSERT INTO {t} ({c}) SELECT {c} FROM {s} ON CONFLICT ({k}) {a} RETURNING (xmax = 0) AS fresh) "
                "SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM merged"
            )
            inserted, changed = cursor.fetchone()
        run("DROP TABLE {s}")
    return inserted, changed


@transaction.atomic
def copy_update(table: str, frame: pd.DataFrame, *, key: str, same: Iterable[str] | None = None) -> int:
    """Update the rows that the frame's ``key`` names with its other columns; return how many changed.

    A row that is equal in the ``same`` columns (default: all but the key) is not rewritten.
    Keys must not repeat inside the frame; one that the table lacks is passed over.
    """
    updated = [c for c in frame.columns if c != key]
    compared = updated if same is None else list(same)
    if frame.empty or not compared:
        return 0
    target, stage = sql.Identifier(table), sql.Identifier(_STAGE)
    parts = {
        "t": target, "s": stage, "c": _columns(frame.columns), "k": sql.Identifier(key),
        "set": sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(c)) for c in updated),
        "old": sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(c)) for c in compared),
        "new": sql.SQL(", ").join(sql.SQL("s.{}").format(sql.Identifier(c)) for c in compared),
    }  # fmt: skip
    with connection.cursor() as cursor:

        def run(statement: str) -> None:
            cursor.execute(sql.SQL(statement).format(**parts).as_string(cursor.cursor))

        run("DROP TABLE IF EXISTS {s}")
        run("CREATE TEMP TABLE {s} ON COMMIT DROP AS SELECT {c} FROM {t} WITH NO DATA")
        copy_rows(_STAGE, frame)
        run("UPDATE {t} t SET {set} FROM {s} s WHERE t.{k} = s.{k} AND ({old}) IS DISTINCT FROM ({new})")
        changed = cursor.rowcount
        run("DROP TABLE {s}")
    return int(changed)


def _columns(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _as_copy_text(frame: pd.DataFrame) -> io.StringIO:
    """Write COPY's text format: tabs between, backslashes escaped, \\N for NULL."""
    plain = {}
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.map(lambda at: at.isoformat(), na_action="ignore")
        elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            # Not map(), which makes floats of whole numbers beside None.
            column = pd.Series([_escaped(value) for value in column], index=column.index, dtype=object)
        plain[str(name)] = column
    buffer = io.StringIO()
    pd.DataFrame(plain).to_csv(
        buffer,
        sep="\t",
        header=False,
        index=False,
        na_rep="\\N",
        quoting=csv.QUOTE_NONE,
        lineterminator="\n",
        date_format="%Y-%m-%d",
    )
    buffer.seek(0)
    return buffer


def _escaped(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\\\x" + bytes(value).hex()
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value


# PostgreSQL's binary COPY: a header, then per row a field count, per field a length and big-endian bytes.
_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_BINARY_TRAILER = b"\xff\xff"
_EPOCH = np.datetime64("2000-01-01", "D")


def copy_to_arrays(
    query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, dtypes: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """Return the rows of a SELECT as one array per column, without parsing any text.

    ``dtypes`` names every column in order: ``i2``, ``i4``, ``i8``, ``f4``, ``f8`` or ``date`` (datetime64[D]),
    each exactly of that SQL type and never NULL (say COALESCE(…, 'NaN')).
    """
    fields = [
        (f"{name}_bytes" if part else name, ">i4" if part else _wire_type(kind)) for name, kind in dtypes.items() for part in (1, 0)
    ]
    layout = np.dtype([("fields", ">i2"), *fields])
    buffer = io.BytesIO()
    with connection.cursor() as cursor:
        statement = cursor.cursor.mogrify(query, params or None)
        text = statement.decode() if isinstance(statement, bytes) else statement
        cursor.cursor.copy_expert(f"COPY ({text}) TO STDOUT WITH (FORMAT binary)", buffer)
    count, rest = divmod(buffer.tell() - len(_BINARY_HEADER) - len(_BINARY_TRAILER), layout.itemsize)
    records = np.frombuffer(buffer.getbuffer(), dtype=layout, count=count if rest == 0 else 0, offset=len(_BINARY_HEADER))
    wrong = [n for n, kind in dtypes.items() if rest or (records[f"{n}_bytes"] != np.dtype(_wire_type(kind)).itemsize).any()]
    if wrong:
        raise ValueError(f"A column is NULL or not of the declared type; declared were {dict(dtypes)}, suspect are {wrong}.")
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind in dtypes.items():
        values = records[name].astype(np.dtype(_wire_type(kind)).newbyteorder("="))
        arrays[name] = _EPOCH + values if kind == "date" else values
    return arrays


def copy_from_arrays(table: str, arrays: Mapping[str, NDArray[Any]], *, types: Mapping[str, str] | None = None) -> int:
    """Append equally long arrays to the table's columns of those names; return how many rows went in.

    The SQL types are exactly those of the arrays (int16 smallint, int32 integer, int64 bigint, float32 real,
    float64 double precision, datetime64 date, str text) unless ``types`` says otherwise: ``i2``, ``i4``, ``i8``,
    ``f4``, ``f8``, ``date``, ``text``, ``bool``, or ``f8[]`` for a row of numbers.  A NaN given for an integer, a NaT
    for a date, and a NaN inside an array or under ``f8?`` become NULL; a plain float keeps its NaN.
    """
    known = types or {}
    fields = [_wire_field(values, known.get(name, "")) for name, values in arrays.items()]
    count = len(fields[0][0]) if fields else 0
    if count == 0:
        return 0
    widths = [2, *(body.shape[1] for body, _ in fields)]
    body = np.empty((count, sum(widths)), dtype=np.uint8)
    body[:, :2] = np.frombuffer(len(fields).to_bytes(2, "big"), dtype=np.uint8)
    kept: NDArray[np.bool_] | None = None
    at = 2
    for values, is_kept in fields:
        body[:, at : at + values.shape[1]] = values
        if is_kept is not None:
            kept = np.ones(body.shape, dtype=bool) if kept is None else kept
            kept[:, at : at + values.shape[1]] = is_kept
        at += values.shape[1]
    rows = body.tobytes() if kept is None else body[kept].tobytes()
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT binary)").format(sql.Identifier(table), _columns(arrays))
    with connection.cursor() as cursor:
        sent = io.BytesIO(b"".join((_BINARY_HEADER, rows, _BINARY_TRAILER)))
        cursor.cursor.copy_expert(statement.as_string(cursor.cursor), sent, size=1 << 20)
    return count


@transaction.atomic
def merge_arrays(
    table: str,
    arrays: Mapping[str, NDArray[Any]],
    *,
    keys: Sequence[str],
    types: Mapping[str, str],
    update: Sequence[str] | None = None,
    cents: Sequence[str] = (),
    only_known: bool = False,
) -> int:
    """Merge rows into the table by its unique keys; return how many were inserted or changed.

    As ``copy_upsert``, without printing a number as text.  ``types`` names every column (``copy_from_arrays``);
    a column in ``cents`` is bigint hundredths here and numeric there.  ``update``: the columns that an existing row
    takes over (default: all that are no key).  ``only_known`` changes existing rows and inserts none.
    """
    updated = [name for name in arrays if name not in keys] if update is None else list(update)
    target, stage = sql.Identifier(table), sql.Identifier(_STAGE)
    chosen = [sql.SQL("s.{}::numeric / 100" if n in cents else "s.{}").format(sql.Identifier(n)) for n in arrays]
    parts = {
        "t": target,
        "s": stage,
        "c": _columns(arrays),
        "k": _columns(keys),
        "v": sql.SQL(", ").join(chosen),
        "on": sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(n)) for n in keys),
        "old": sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(n)) for n in updated),
        "new": sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(sql.Identifier(n)) for n in updated),
        "set": sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(n)) for n in updated),
        "given": sql.SQL(", ").join(v for n, v in zip(arrays, chosen, strict=True) if n in updated),
        "take": sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(n), v) for n, v in zip(arrays, chosen, strict=True) if n in updated
        ),
    }
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(_SQL_TYPES[types[n].rstrip("?")])) for n in arrays
    )
    with connection.cursor() as cursor:

        def run(statement: str) -> None:
            cursor.execute(sql.SQL(statement).format(**parts, columns=columns).as_string(cursor.cursor))

        run("DROP TABLE IF EXISTS {s}")
        run("CREATE TEMP TABLE {s} ({columns}) ON COMMIT DROP")
        if copy_from_arrays(_STAGE, arrays, types=types) == 0:
            return 0
        if only_known:
            run("UPDATE {t} t SET {take} FROM {s} s WHERE {on} AND ({old}) IS DISTINCT FROM ({given})")
        else:
            run(
                "INSERT INTO {t} AS t ({c}) SELECT {v} FROM {s} s "
                "ON CONFLICT ({k}) DO UPDATE SET {set} WHERE ({old}) IS DISTINCT FROM ({new})"
            )
        return int(cursor.rowcount)


_SQL_TYPES = {
    "i2": "smallint", "i4": "integer", "i8": "bigint", "f4": "real", "f8": "double precision", "date": "date", "text": "text",
    "bool": "boolean", "f8[]": "double precision[]",
}  # fmt: skip
_FLOAT8_OID = 701


def _wire_type(kind: str) -> str:
    return ">i4" if kind == "date" else f">{kind}"


def _wire_field(values: NDArray[Any], kind: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return the bytes of one field per row, its length first, and which of them are really sent (None: all)."""
    if kind == "f8[]":
        return _wire_list(values)
    if kind == "text" or values.dtype.kind in "UOT":
        return _wire_text(values)
    is_null: NDArray[np.bool_] | None = None
    if values.dtype.kind == "M" or kind == "date":
        days = values.astype("datetime64[D]")
        is_null = np.isnat(days)
        plain = np.where(is_null, 0, (days - _EPOCH).astype(np.int64)).astype(">i4")
    elif kind == "bool" or values.dtype.kind == "b":
        plain = values.astype(np.uint8)
    else:
        wanted = np.dtype(kind.rstrip("?") or values.dtype)
        if values.dtype.kind == "f" and (wanted.kind == "i" or kind.endswith("?")):
            is_null = np.isnan(values)
            values = np.where(is_null, 0.0, values)
        plain = values.astype(wanted.newbyteorder(">"))
    body = np.ascontiguousarray(plain).view(np.uint8).reshape(len(plain), plain.dtype.itemsize)
    length = np.full((len(plain), 1), plain.dtype.itemsize, dtype=">i4")
    if is_null is None or not is_null.any():
        return np.hstack([length.view(np.uint8).reshape(-1, 4), body]), None
    length[is_null] = -1
    kept = np.ones((len(plain), 4 + plain.dtype.itemsize), dtype=bool)
    kept[is_null, 4:] = False
    return np.hstack([length.view(np.uint8).reshape(-1, 4), body]), kept


def _wire_text(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Encode short texts; a text may not end in NUL, which PostgreSQL refuses anyway."""
    encoded = np.char.encode(values.astype(str), "utf-8")
    width = max(encoded.dtype.itemsize, 1)
    length = np.char.str_len(encoded).astype(">i4")
    body = np.ascontiguousarray(encoded.astype(f"S{width}")).view(np.uint8).reshape(len(values), width)
    kept = np.ones((len(values), 4 + width), dtype=bool)
    kept[:, 4:] = np.arange(width) < length[:, None]
    return np.hstack([length.view(np.uint8).reshape(-1, 4), body]), kept


def _wire_list(values: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Encode a row of numbers as a one-dimensional double precision array, NaN as NULL inside it."""
    rows, size = values.shape
    is_null = np.isnan(values)
    item = np.empty((rows, size), dtype=[("bytes", ">i4"), ("value", ">f8")])
    item["bytes"], item["value"] = np.where(is_null, -1, 8), np.where(is_null, 0.0, values)
    head = np.empty(rows, dtype=[(name, ">i4") for name in ("bytes", "dims", "nulls", "type", "size", "first")])
    head["bytes"] = 20 + 4 * size + 8 * (~is_null).sum(axis=1)
    head["dims"], head["nulls"], head["type"], head["size"], head["first"] = 1, is_null.any(axis=1), _FLOAT8_OID, size, 1
    kept = np.ones((rows, 24 + 12 * size), dtype=bool)
    kept[:, 24:] = np.stack([np.ones_like(is_null), ~is_null], axis=2).repeat([4, 8], axis=2).reshape(rows, 12 * size)
    body = np.hstack([head.view(np.uint8).reshape(rows, 24), item.view(np.uint8).reshape(rows, 12 * size)])
    return body, kept
