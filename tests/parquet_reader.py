"""Reads what `ringtape export` writes as Parquet with pyarrow, and holds it against its CSV.

python tests/parquet_reader.py target/release/ringtape
"""

import csv
import decimal
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet

FEED = "feeds/sample.itch.gz"
TABLES = [
    ["trades"],
    ["bars", "--every", "60s"],
    ["books", "--every", "60s", "--depth", "5"],
]


def text(value):
    """A cell as CSV has it, but for the zeros at the end of a decimal."""
    if value is None:
        return ""
    if isinstance(value, decimal.Decimal):
        return f"{value.normalize():f}"
    return str(value)


def plain(cell, field):
    """A cell of CSV in the same words."""
    if cell and pyarrow.types.is_decimal(field.type):
        return text(decimal.Decimal(cell))
    return cell


def check(program, words, folder):
    out = {}
    for kind in ("csv", "parquet"):
        out[kind] = folder / f"{words[0]}.{kind}"
        subprocess.run([program, "export", words[0], FEED, *words[1:], "-o", out[kind]], check=True)
    table = pyarrow.parquet.read_table(out["parquet"])
    with open(out["csv"], newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == table.column_names, (lines[0], table.column_names)
    assert len(lines) > 100, len(lines)
    fields = list(table.schema)
    columns = [[text(value) for value in column.to_pylist()] for column in table.columns]
    expected = [[plain(cell, field) for cell, field in zip(line, fields)] for line in lines[1:]]
    assert list(map(list, zip(*columns))) == expected, words
    types = {field.name: str(field.type) for field in fields}
    groups = pyarrow.parquet.ParquetFile(out["parquet"]).num_row_groups
    print(f"{words[0]}: {table.num_rows} rows in {groups} groups as in CSV, {types}")
    return types


with tempfile.TemporaryDirectory() as folder:
    types = [check(sys.argv[1], words, Path(folder)) for words in TABLES]
    for kinds in types:
        assert kinds["symbol"] == "string", kinds
    assert types[0]["price"] == types[1]["turnover"] == "decimal128(38, 9)", types
    assert types[0]["ts_ns"] == types[0]["qty"] == "uint64", types
