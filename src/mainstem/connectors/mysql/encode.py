"""From a record batch of text cells to rows for MySQL, by the plan of one table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pymysql.constants import FIELD_TYPE

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.errors import PlanError, RowError
from mainstem.model.cells import PIECE_BYTES, buffers, cell_bytes, pieces, row_key
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.types import Kind
from mainstem.native.loaddata import LoadDataEncoder
from mainstem.native.ops import LoadForm, LoadOp, Refusal

_DIALECT = MysqlDialect()
_NO_LABEL = "no_label"
_NO_TIME, _ANY_FRACTION = -1, 7
_TYPE = re.compile(r"\s*([a-z0-9]+)\s*(?:\(\s*(\d+))?", re.I)
_FAMILIES = {
    "whole": ("tinyint", "smallint", "mediumint", "int", "integer", "bigint", "bool", "boolean", "serial"),
    "decimal": ("decimal", "numeric", "dec", "fixed", "float", "double", "real"),
    "bit": ("bit",),
    "date": ("date",),
    "timestamp": ("datetime", "timestamp"),
    "time": ("time",),
    "text": ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum", "set", "year"),
    "bytes": ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"),
}  # fmt: skip
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names}
_UNHEX = "UNHEX({})"
_BYTEWISE = (LoadOp.TEXT, LoadOp.HEX)
_FLOATS = {4: "float", 8: "double"}
_NUMBERS = (LoadOp.DIGITS, LoadOp.DECIMAL, LoadOp.FLOAT)

_REASONS = {
    Refusal.MALFORMED: ("a value that does not have the form of its type", "repair the row at the source"),
    Refusal.SPECIAL_VALUE: (
        "NaN, an infinity, or a date before the year 1 or after 9999, which MySQL cannot hold",
        "choose specialValues: null (--special-values), or repair the row at the source",
    ),
    Refusal.NULL_VALUE: ("NULL in a column that must not be NULL", "repair the row at the source"),
    Refusal.TOO_FINE: (
        "a time with more digits behind the point than the column keeps",
        "choose a type with a longer fraction by a type override",
    ),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a column's cells are written: what the encoder does, its parameter, and what LOAD DATA makes of the field.

    ``expression`` has the field's variable, or parameter, at ``{}``; empty is the field itself.
    """

    op: LoadOp
    length: int = 0
    expression: str = ""


def form(column: ColumnPlan, *, raw: bool = False) -> Form:
    """The form of a column by its cells and its type on the target; `PlanError` where values would be rounded.

    Args:
        raw: bytes may stand in the file as they are, escaped, although it is said to be UTF-8. MariaDB passes them on;
            MySQL refuses them (error 1300), so that there they are sent in hex.
    """
    found = _TYPE.match(column.target_type)
    name, number = (found[1].lower(), int(found[2] or 0)) if found else ("", 0)
    family = _FAMILY.get(name, "")
    kind = column.type.kind
    if kind is Kind.BINARY and family == "bytes" and raw:
        return Form(LoadOp.TEXT)
    if kind in (Kind.BINARY, Kind.BITS):
        return Form(LoadOp.HEX, 0, "CONV({}, 16, 10)" if family == "whole" else _UNHEX)
    if kind is Kind.GEOMETRY:
        return Form(LoadOp.HEX if family else LoadOp.GEOMETRY, 0, _UNHEX)
    if kind is Kind.FLOAT and family in ("whole", "bit"):
        raise PlanError(
            f"column {column.source} holds floating-point numbers, which {column.target_type} would round",
            remedy="choose DOUBLE, FLOAT, DECIMAL or a text type",
        )
    if kind is Kind.FLOAT:
        width = (column.type.bits or 0) // 8
        same = column.target_type.lower() == _FLOATS.get(width)
        return Form(LoadOp.FLOAT, width if same else int(name in ("float", "double", "real")))
    if kind is Kind.UUID and family == "bytes":
        return Form(LoadOp.UUID_HEX, 0, _UNHEX)
    if kind is Kind.ENUM:
        return Form(LoadOp.ENUM, int(name == "enum" and "" not in column.type.members))
    return _by_family(family, number)


def _by_family(family: str, number: int) -> Form:
    """The form of cells that are text, by what the server will read them as."""
    return {
        "whole": Form(LoadOp.DIGITS),
        "bit": Form(LoadOp.DIGITS, 0, "CAST({} AS UNSIGNED)"),
        "decimal": Form(LoadOp.DECIMAL),
        "date": Form(LoadOp.DATE, _NO_TIME),
        "timestamp": Form(LoadOp.DATE, number),
        "time": Form(LoadOp.TIME, number),
    }.get(family, Form(LoadOp.TEXT))


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be encoded: its index in the batch, its column's index, and why."""

    row: int
    column: int
    why: Refusal


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows in the encoder's form, without those that are refused, which are in order of their rows.

    Attributes:
        coerced: values that a policy has changed: ``column: what`` → count.
        unlabelled: error values of ENUM columns among them; the server gives one warning for each.
    """

    payload: Any
    refused: Sequence[Refused] = ()
    coerced: dict[str, int] = field(default_factory=dict)
    unlabelled: int = 0


class BatchEncoder:
    """Encodes batches of one table, and names their rows.

    Args:
        required: target columns, in lower case, whose nulls are refused.
        into: what becomes of the rows.
        raw: see `form`.
    """

    def __init__(
        self,
        table: TablePlan,
        options: RunOptions,
        required: frozenset[str],
        *,
        into: LoadForm = LoadForm.FILE,
        raw: bool = False,
    ) -> None:
        self._table, self._options, self._required, self._into = table, options, required, into
        self._forms = [form(column, raw=raw) for column in table.columns]
        self._encoder = self._of(range(len(table.columns)))

    def encode(self, rows: pa.RecordBatch, start: int, stop: int) -> Encoded:
        """Rows start..stop."""
        columns, offset = buffers(rows)
        payload, refused = self._encoder.encode(columns, offset, start, stop)
        coerced, unlabelled = self._changes(self._encoder, 0)
        return Encoded(
            payload, [Refused(start + row, column, why) for row, column, why in refused], coerced, unlabelled
        )

    def encode_in_pieces(self, rows: pa.RecordBatch) -> Iterator[Encoded]:
        """All rows for LOAD DATA, of which the last may be large, in pieces to be sent one after the other.

        A large cell that is escaped or printed in hex, byte for byte, takes no second memory of its size. Nothing
        follows a refusal.
        """
        last = rows.num_rows - 1
        yield self.encode(rows, 0, last)
        columns, offset = buffers(rows)
        for number, column in enumerate(columns):
            encoder = self._of([number])
            cell = cell_bytes(column, offset + last)
            ended = b"\n" if number + 1 == len(columns) else b"\t"
            if cell is not None and cell.size > PIECE_BYTES and self._forms[number].op in _BYTEWISE:
                for piece in pieces(cell):
                    yield Encoded(encoder.encode([piece], 0, 0, 1)[0][:-1])
                yield Encoded(ended)
                continue
            payload, refused = encoder.encode([column], offset, last, last + 1)
            coerced, unlabelled = self._changes(encoder, number)
            whole = bytes(payload[:-1]) + ended
            yield Encoded(whole, [Refused(last, number, why) for _, _, why in refused], coerced, unlabelled)

    def _of(self, columns: Sequence[int]) -> LoadDataEncoder:
        """An encoder of some columns."""
        table = self._table.columns
        return LoadDataEncoder(
            [self._forms[number].op for number in columns],
            [self._forms[number].length for number in columns],
            required=[place for place, number in enumerate(columns) if table[number].target.lower() in self._required],
            special_values=str(self._options.special_values),
            form=self._into,
        )

    def _changes(self, encoder: LoadDataEncoder, first: int) -> tuple[dict[str, int], int]:
        """What policies have changed in an encoder's columns, of which the first has that number; error values."""
        coerced, unlabelled = {}, 0
        for (column, what), count in encoder.take_coerced().items():
            if what == _NO_LABEL:
                unlabelled += count
            else:
                coerced[f"{self._table.columns[first + column].source}: {what}"] = count
        return coerced, unlabelled

    def error(self, refused: Refused) -> RowError:
        """What to say of a refused row."""
        reason, remedy = _REASONS[Refusal(refused.why)]
        column = self._table.columns[refused.column].source
        return RowError(
            f"column {column} holds {reason}", row=refused.row, column=column, remedy=remedy,
            table=str(self._table.source),
        )  # fmt: skip

    def key(self, rows: pa.RecordBatch, row: int) -> str:
        """The row's key for people."""
        return row_key(self._table, rows, row)

    def load_sql(self, into: str) -> str:
        """The statement that asks for the rows.

        Where any column is SET, all are that may be numbered: the server would forget that it was given a number, and
        make one in place of a 0.
        """
        names = [_DIALECT.quote(column.target) for column in self._table.columns]
        any_set = any(form_.expression for form_ in self._forms)
        fields, sets = [], []
        for index, (name, form_) in enumerate(zip(names, self._forms, strict=True)):
            expression = form_.expression or ("{}" if any_set and form_.op in _NUMBERS else "")
            fields.append(f"@mainstem_{index}" if expression else name)
            if expression:
                sets.append(f"{name} = {expression.format(fields[-1])}")
        return (
            f"LOAD DATA LOCAL INFILE 'mainstem' INTO TABLE {into} CHARACTER SET utf8mb4"
            " FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' STARTING BY ''"
            f" ({', '.join(fields)}){' SET ' if sets else ''}{', '.join(sets)}"
        )

    def insert_sql(self, into: str) -> str:
        """The statement that is prepared for rows as parameters."""
        names = ", ".join(_DIALECT.quote(column.target) for column in self._table.columns)
        values = ", ".join(form_.expression.format("?") or "?" for form_ in self._forms)
        return f"INSERT INTO {into} ({names}) VALUES ({values})"

    @property
    def parameter_types(self) -> list[int]:
        """What each column's parameters are, as the protocol numbers types."""
        return [_parameter_type(*pair) for pair in zip(self._table.columns, self._forms, strict=True)]


def _parameter_type(column: ColumnPlan, form_: Form) -> int:
    if form_.op is LoadOp.FLOAT and form_.length in _FLOATS:
        return FIELD_TYPE.FLOAT if form_.length == 4 else FIELD_TYPE.DOUBLE
    bytewise = column.type.kind is Kind.BINARY and form_.op is LoadOp.TEXT
    return FIELD_TYPE.BLOB if bytewise else FIELD_TYPE.VAR_STRING
