"""Parquet tables with a schema: checked on write and on read, stamped, written by one function.

A schema is data (`Table`); each stage keeps its own in ``confuselt/<stage>/schema.py``.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from confuselt.stamp import stamp_text

TYPES = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class Table:
    """Schema of one Parquet file.

    Attributes
    ----------
    name : str
        ``stage/file`` without the extension; used in messages.
    columns : dict of str to str
        Fixed columns in order, with a name from `TYPES`.
    key : tuple of str
        Columns that identify a row; duplicates are an error.
    patterns : dict of str to str
        Regular expressions of further columns that follow the fixed ones.
    required : tuple of str
        Columns without missing values.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...] = ()
    patterns: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def type_of(self, column: str) -> str:
        """Type name of a column; ValueError if the schema has no such column."""
        if column in self.columns:
            return self.columns[column]
        for pattern, kind in self.patterns.items():
            if re.fullmatch(pattern, column):
                return kind
        raise ValueError(f"{self.name}: column '{column}' is not in the schema")

    def as_json(self) -> dict:
        """Plain description for ``workflow/schemas/tables.json``."""
        return {
            "columns": self.columns,
            "patterns": self.patterns,
            "key": list(self.key),
            "required": list(self.required),
        }


INDEX_COLUMNS = {"status": "string", "reason": "string", "n": "int64", "sha": "string"}


def check_table(frame: pd.DataFrame, table: Table, where: str = "") -> None:
    """Raise ValueError where `frame` breaks `table`: missing columns, unknown columns, empty or repeated keys."""
    label = f"{table.name} {where}".strip()
    missing = [c for c in table.columns if c not in frame]
    if missing:
        raise ValueError(f"{label}: columns {missing} are missing")
    for column in frame.columns:
        table.type_of(column)
    for column in {*table.key, *table.required}:
        if frame[column].isna().any():
            raise ValueError(
                f"{label}: column '{column}' has missing values in rows {list(frame.index[frame[column].isna()][:5])}"
            )
    if table.key:
        repeated = frame.duplicated(list(table.key))
        if repeated.any():
            first = frame.loc[repeated, list(table.key)].iloc[0].to_dict()
            raise ValueError(f"{label}: {int(repeated.sum())} rows repeat the key {table.key}, first {first}")


def empty_table(table: Table) -> pd.DataFrame:
    """A frame without rows that satisfies `table`."""
    return pd.DataFrame({c: pd.Series(dtype="object") for c in table.columns})


def write_table(frame: pd.DataFrame, path: Path, table: Table, meta: dict | None = None) -> None:
    """Write `frame` as Parquet after checking it.

    `meta` holds JSON values about the whole table (of a grid: the geometry of its slide).
    """
    check_table(frame, table, f"(writing {path})")
    ordered = [*table.columns, *(c for c in frame.columns if c not in table.columns)]
    schema = pa.schema([(c, TYPES[table.type_of(c)]) for c in ordered])
    arrays = [
        pa.array(_plain(frame[c], schema.field(c).type), type=schema.field(c).type, from_pandas=True) for c in ordered
    ]
    stamped = {"stamp": stamp_text(), "meta": json.dumps(meta or {}), "table": table.name}
    pq.write_table(pa.table(arrays, schema=schema.with_metadata(stamped)), path)


def _plain(column: pd.Series, kind: pa.DataType) -> pd.Series:
    if pa.types.is_string(kind):
        return column.astype(object).where(column.notna(), None)
    if pa.types.is_boolean(kind):
        return column.astype("boolean")
    if pa.types.is_integer(kind):
        return column.astype("Int64")
    return column.astype("float64")


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read a Parquet file written by `write_table` and check it again."""
    frame = pq.read_table(path).to_pandas()
    check_table(frame, table, f"(reading {path})")
    return frame


def read_stamp(path: Path) -> dict:
    """What made a table, see `confuselt.stamp`."""
    return json.loads(pq.read_schema(path).metadata[b"stamp"])


def read_meta(path: Path) -> dict:
    """What `write_table` was given as `meta`."""
    return json.loads(pq.read_schema(path).metadata[b"meta"])
