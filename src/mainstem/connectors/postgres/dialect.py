"""PostgreSQL as a target: names, types and DDL. Pure; the statements are run elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mainstem.connectors.postgres import (
    alter,
    enums,
    features,
    finish,
    growing,
    keys,
    own,
    own_keys,
    own_views,
    renaming,
    retype,
)
from mainstem.connectors.postgres.literals import dollar_quoted, literal, now, quoted, string, text_array
from mainstem.connectors.postgres.raw import raw_format
from mainstem.connectors.postgres.types import check_meaning, copy_op, native_type
from mainstem.contract.dialect import (
    ColumnType,
    Dialect,
    Folding,
    NameRules,
    NewName,
    Rendered,
    TargetType,
    Translate,
    Unchecked,
    Use,
)
from mainstem.errors import InvalidError, PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, Phase, ReportItem, Severity, Statement, TablePlan
from mainstem.model.schema import Catalog, Column, DefaultKind, ForeignKey, NativeObject, Table, View
from mainstem.model.schema import Sequence as SchemaSequence
from mainstem.model.types import Kind, LogicalType

if TYPE_CHECKING:
    from sqlglot import exp


NEWEST = 180_000


class PostgresDialect:
    """The dialect.

    Args:
        postgis: the extension is there, so geometry becomes ``geometry``; without it bytea holds EWKB.
        version: the server's, 150004.
        extensions: those that the server could make or has, with the schema that each is in (empty: not made yet);
            None when unknown.
        switches: the login may set session_replication_role.
    """

    def __init__(
        self,
        *,
        postgis: bool = False,
        version: int = NEWEST,
        extensions: Mapping[str, str] | None = None,
        switches: bool = False,
    ) -> None:
        self._postgis = postgis
        self._version = version
        self._extensions = extensions
        self._switches = switches

    @property
    def sql_name(self) -> str:
        """The dialect's name in sqlglot."""
        return "postgres"

    @property
    def names(self) -> NameRules:
        """NAMEDATALEN - 1 bytes; the server would cut longer names off without a word."""
        return NameRules(63)

    @property
    def unchecked(self) -> Unchecked:
        """By session_replication_role, which also keeps triggers from firing."""
        return Unchecked.WITH_TRIGGERS if self._switches else Unchecked.NEVER

    @property
    def labels_by_name(self) -> bool:
        """By their names."""
        return True

    def quote(self, name: str) -> str:
        """A name as an identifier, always quoted: case is kept and reserved words need no list."""
        if not name or "\0" in name:
            raise InvalidError("a name must not be empty and must not hold a NUL character", name=repr(name))
        return quoted(name)

    def qualified(self, table: TableId) -> str:
        """Schema and name; the name alone when no schema is known."""
        name = self.quote(table.name)
        return f"{self.quote(table.schema)}.{name}" if table.schema else name

    def folding(self, sql: str, collation: str) -> Folding:
        """What a column of this type takes for equal: only citext takes more than what is equal."""
        return Folding(case=sql.lower().rpartition(".")[2].strip('"') == "citext")

    def neutral_expression(self, tree: exp.Expr) -> exp.Expr:
        """An expression without what only PostgreSQL writes (casts of literals, arrays behind ANY, regclass)."""
        from mainstem.connectors.postgres.neutral import neutral

        return neutral(tree)

    def render_expression(self, tree: exp.Expr, use: Use, wanted: ColumnType | None = None) -> str:
        """A neutral expression or query as SQL that PostgreSQL can run; `PlanError` if it can't be said."""
        from mainstem.connectors.postgres import expressions

        return expressions.render(tree, use, wanted)

    # types

    def target_type(
        self, table: TableId, column: Column, new_name: NewName, override: str = "", *, own: bool = False
    ) -> TargetType:
        """The type of a column, with the statements that make it."""
        if override:
            check_meaning(column, override)
            copy_op(ColumnPlan(column.name, column.name, column.type, override))  # refuses what cannot be written
            return TargetType(override)
        if own:
            return TargetType(column.native)
        if column.type.kind is Kind.ENUM and column.type.members:
            return self._enum(table, column, new_name)
        if column.type.kind is Kind.SET:
            sql = f"{self.quote(column.name)} <@ {text_array(column.type.members)}"
            return TargetType("text[]", checks=(sql,))
        if column.type.kind is Kind.GEOMETRY:
            return self._geometry(table, column)
        if column.identity and column.type == LogicalType(Kind.INTEGER, bits=64, unsigned=True):
            return TargetType("bigint")
        return TargetType(native_type(column.type))

    def fit_types(self, table: Table, types: dict[str, TargetType], *, own: bool = False) -> dict[str, TargetType]:
        """None changes: types do not depend on each other here."""
        return {}

    def raw_format(self, plan: TablePlan, source: Dialect) -> str:
        """Whatever keeps its type passes between two PostgreSQL servers as it is."""
        return raw_format(plan) if isinstance(source, PostgresDialect) else ""

    def _enum(self, table: TableId, column: Column, new_name: NewName) -> TargetType:
        name = TableId(table.schema, new_name(f"{table.name}_{column.name}"))
        sql = self.qualified(name)
        made = enums.make(sql, name.name, tuple(dict.fromkeys(column.type.members)))
        create = Statement(Phase.SCHEMA, made, str(name), table)
        drop = Statement(Phase.SCHEMA, f"DROP TYPE IF EXISTS {sql}", str(name), table)
        return TargetType(sql, prerequisites=(create,), drops=(drop,))

    def _geometry(self, table: TableId, column: Column) -> TargetType:
        if self._postgis:
            return TargetType(f"geometry({column.type.subtype or 'geometry'})")
        item = ReportItem(
            Severity.WARNING,
            "geometry_as_bytes",
            f"{table}.{column.name}",
            "without PostGIS a geometry column is kept as bytea, holding EWKB",
            "install PostGIS and run CREATE EXTENSION postgis in the target database first",
        )
        return TargetType("bytea", report=(item,))

    # structure of a PostgreSQL

    def relocate(self, catalog: Catalog, names: Mapping[TableId, TableId]) -> Catalog:
        """A PostgreSQL's catalog whose texts name what is on the target."""
        return renaming.relocate(catalog, names)

    def rename_columns(self, sql: str, names: Mapping[str, str | None]) -> str:
        """A definition with other column names."""
        return renaming.rename_columns(sql, names)

    def create_object(self, object_: NativeObject, *, needed: bool, only_missing: bool = False) -> Rendered:
        """An extension that can be had, and whatever else as it is."""
        if object_.kind == "extension":
            return own.create_extension(object_, self._extensions, self.create_schema, needed=needed)
        return own.create_object(self, object_, needed=needed, only_missing=only_missing)

    def grow_object(self, object_: NativeObject, there: NativeObject) -> Rendered:
        """Labels, and attributes behind all others."""
        return growing.grow_object(self, object_, there)

    def drop_objects(self, objects: Sequence[NativeObject]) -> Rendered:
        """Types; functions are replaced, and the rest goes with the tables."""
        return own.drop_objects(self, objects)

    # structure

    def create_schema(self, name: str) -> Rendered:
        """The schema unless it exists; asked first, as IF NOT EXISTS needs the right to create one even so."""
        body = (
            f"\nBEGIN\n  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {string(name)}) THEN\n"
            f"    CREATE SCHEMA {self.quote(name)};\n  END IF;\nEND\n"
        )
        return Rendered((Statement(Phase.SCHEMA, f"DO {dollar_quoted(body)}", name),))

    def create_table(self, table: Table, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """The types that its columns need, then the table with columns, defaults and identity."""
        if translate.own:
            return own.create_table(self, table, types, translate, self._version)
        statements = [statement for type_ in types.values() for statement in type_.prerequisites]
        report = [item for type_ in types.values() for item in type_.report]
        report += list(_widened(table, types))
        lines = []
        for column in table.columns:
            line, items = self._column(table, column, types[column.name].sql, translate)
            lines.append(line)
            report += items
        lines += [f"CHECK ({check})" for type_ in types.values() for check in type_.checks]
        body = ",\n".join(f"  {line}" for line in lines)
        sql = f"CREATE TABLE {self.qualified(table.id)} (\n{body}\n)"
        statements.append(Statement(Phase.TABLES, sql, str(table.id), table.id))
        return Rendered(tuple(statements), tuple(report))

    def _column(
        self, table: Table, column: Column, sql_type: str, translate: Translate
    ) -> tuple[str, list[ReportItem]]:
        report: list[ReportItem] = []
        parts = [self.quote(column.name), sql_type]
        if column.generated is not None:
            expression = translate(column.generated.expression, Use.STORED, column.name)
            parts.append(f"GENERATED ALWAYS AS ({expression}) STORED")
        elif column.identity and sql_type in ("smallint", "integer", "bigint"):
            parts.append("GENERATED BY DEFAULT AS IDENTITY")
        elif column.identity:
            report.append(_no_identity(table, column, sql_type))
        elif column.default is not None:
            try:
                parts.append(f"DEFAULT {self._default(column, sql_type, translate)}")
            except PlanError as exc:
                report.append(_no_default(table, column, exc))
        if not column.nullable:
            parts.append("NOT NULL")
        return " ".join(parts), report

    def _default(self, column: Column, sql_type: str, translate: Translate) -> str:
        if column.default is None:
            return "NULL"
        if column.default.kind is DefaultKind.LITERAL:
            return literal(column.default.text, column.type, sql_type)
        if column.default.kind is DefaultKind.HIDDEN:
            raise PlanError("the source does not show its bytes", remedy="SHOW CREATE TABLE has them; set it by hand")
        if column.default.kind is DefaultKind.NOW:
            return now(int(column.default.text), sql_type) or translate("CURRENT_TIMESTAMP", Use.VALUE, column.name)
        return translate(column.default.text, Use.VALUE, column.name)

    def create_keys(
        self, table: Table, types: dict[str, TargetType], translate: Translate, new_name: NewName
    ) -> Rendered:
        """Primary key, unique keys, indexes and checks."""
        if translate.own:
            return own_keys.create_keys(self, table, translate, new_name, self._version)
        return keys.create_keys(self, table, types, translate, new_name)

    def create_foreign_key(self, table: TableId, key: ForeignKey, new_name: NewName) -> Rendered:
        """The constraint, which checks the rows that are there."""
        try:
            features.check_known(key.definition, self._version)
        except PlanError as exc:
            message = f"the foreign key to {key.parent} is not made: {exc.message}"
            item = ReportItem(Severity.WARNING, "foreign_key_left_out", f"{table}.{key.name}", message, exc.remedy)
            return Rendered((), (item,))
        return keys.create_foreign_key(self, table, key, new_name)

    def finish_table(self, table: Table, types: dict[str, TargetType]) -> Rendered:
        """Counter, ON UPDATE trigger, comments and statistics."""
        return finish.finish_table(self, table, types)

    def add_column(self, table: Table, name: str, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """The types that the column needs, then the column."""
        column, report = table.column(name), list(types[name].report)
        if translate.own:
            line = own.column_line(self, table, column, types[name].sql, translate, self._version, report)
        else:
            line, told = self._column(table, column, types[name].sql, translate)
            report += told
        return alter.add_column(self, table, types[name], line, report)

    def widen_column(
        self, table: Table, name: str, there: str, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """The type unless the column has it, and DROP NOT NULL."""
        return alter.widen_column(self, table, table.column(name), there, types[name].sql)

    def retype_column(
        self, table: Table, name: str, there: Table, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """One ALTER TABLE, behind the type that it needs."""
        column, default = table.column(name), ""
        if column.default is not None:
            with suppress(PlanError):
                own_default = translate.own and column.default.sql
                default = (
                    translate(own_default, Use.VALUE, name)
                    if own_default
                    else self._default(column, types[name].sql, translate)
                )
        return retype.retype_column(self, table, column, there, types[name], default)

    def create_sequence(self, sequence: SchemaSequence, *, only_missing: bool = False) -> Rendered:
        """The sequence; its next value is the one that the source would give."""
        if sequence.native in ("smallint", "integer", "bigint"):
            return own.create_sequence(self, sequence, only_missing=only_missing)
        name, object_ = self.qualified(sequence.id), str(sequence.id)
        low, high, following = sequence.minimum, sequence.maximum, sequence.next_value
        exhausted = not low <= following <= high
        start = (high if sequence.increment > 0 else low) if exhausted else following
        sql = (
            f"CREATE SEQUENCE {'IF NOT EXISTS ' if only_missing else ''}{name} AS bigint"
            f" INCREMENT BY {sequence.increment} MINVALUE {low} MAXVALUE {high} START WITH {start}"
            f" {'CYCLE' if sequence.cycle else 'NO CYCLE'}"
        )
        statements = [Statement(Phase.TABLES, sql, object_)]
        if exhausted and not only_missing:
            statements.append(Statement(Phase.TABLES, f"SELECT setval({string(name)}, {start}, true)", object_))
        return Rendered(tuple(statements), (_exhausted(sequence.id),) if exhausted else ())

    def set_sequence(self, sequence: SchemaSequence) -> Rendered:
        """Its next value."""
        return Rendered((Statement(Phase.SEQUENCES, own.set_next(self, sequence), str(sequence.id)),))

    def create_view(self, id_: TableId, query: str, view: View) -> Rendered:
        """The view, which runs with its owner's rights unless its options say otherwise."""
        if view.materialized:
            return own_views.create_materialized(self, id_, query, view)
        check = f"\nWITH {view.check_option} CHECK OPTION" if view.check_option else ""
        options = f" {view.options}" if view.options else ""
        sql = f"CREATE VIEW {self.qualified(id_)}{options} AS\n{query}{check}"
        statements = [Statement(Phase.VIEWS, sql, str(id_), optional=True)]
        if view.comment:
            comment = f"COMMENT ON VIEW {self.qualified(id_)} IS {string(view.comment)}"
            statements.append(Statement(Phase.COMMENTS, comment, str(id_), optional=True))
        told = view.invoker and "security_invoker" not in view.options
        return Rendered(tuple(statements), (_invoker(id_),) if told else ())

    def drop_tables(
        self, tables: Sequence[TableId], views: Sequence[TableId] = (), sequences: Sequence[TableId] = ()
    ) -> Rendered:
        """Drop these with everything that depends on them, if they exist."""
        statements = [_drop_view(self.qualified(view), view) for view in views]
        for kind, names in (("TABLE", tables), ("SEQUENCE", sequences)):
            statements += [
                Statement(
                    Phase.SCHEMA,
                    f"DROP {kind} IF EXISTS {self.qualified(name)} CASCADE",
                    str(name),
                    name if kind == "TABLE" else None,
                )
                for name in names
            ]
        return Rendered(tuple(statements))


def _drop_view(qualified: str, view: TableId) -> Statement:
    """Of whichever kind it is."""
    body = (
        f"\nBEGIN\n  IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass({string(qualified)}) AND relkind = 'm')"
        f" THEN\n    DROP MATERIALIZED VIEW {qualified} CASCADE;\n  ELSE\n"
        f"    DROP VIEW IF EXISTS {qualified} CASCADE;\n  END IF;\nEND\n"
    )
    return Statement(Phase.SCHEMA, f"DO {dollar_quoted(body)}", str(view))


def _widened(table: Table, types: dict[str, TargetType]) -> Iterable[ReportItem]:
    names = [column.name for column in table.columns if column.type.kind is Kind.INTEGER and column.type.unsigned]
    if names:
        yield ReportItem(
            Severity.INFO,
            "unsigned_widened",
            str(table.id),
            "PostgreSQL has no unsigned integers; these columns get the next wider type and would take negative"
            f" values: {', '.join(f'{name} {types[name].sql}' for name in names)}",
            "add CHECK (column >= 0) where it matters",
        )
    for column in table.columns:
        if column.identity and column.type.unsigned and types[column.name].sql == "bigint" and column.type.bits == 64:
            past = (table.identity_next or 0) >= 2**63
            yield ReportItem(
                Severity.ERROR if past else Severity.INFO,
                "identity_above_bigint" if past else "identity_as_bigint",
                f"{table.id}.{column.name}",
                "the counter has passed 2^63 - 1, which no identity column can hold"
                if past
                else "a bigint unsigned counter becomes a bigint identity, which ends at 2^63 - 1",
                "override the column's type with numeric(20,0)" if past else "",
            )


def _no_identity(table: Table, column: Column, sql_type: str) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "identity_left_out",
        f"{table.id}.{column.name}",
        f"a column of type {sql_type} cannot count by itself; it is made without identity",
        "override its type with bigint, or add a default from a sequence afterwards",
    )


def _no_default(table: Table, column: Column, exc: PlanError) -> ReportItem:
    zero = column.type.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT) and "zero date" in exc.message
    return ReportItem(
        Severity.WARNING,
        "zero_date_default" if zero else "default_left_out",
        f"{table.id}.{column.name}",
        f"the default is left out: {exc.message}",
        exc.remedy or "set one with ALTER TABLE … ALTER COLUMN … SET DEFAULT",
    )


def _exhausted(sequence: TableId) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "sequence_exhausted",
        str(sequence),
        "the sequence has given out its last value; it is made in that state",
        "ALTER SEQUENCE … MAXVALUE …, if more values are needed",
    )


def _invoker(view: TableId) -> ReportItem:
    return ReportItem(
        Severity.INFO,
        "view_security",
        str(view),
        "the view ran with the rights of whoever used it; here it runs with its owner's",
        "ALTER VIEW … SET (security_invoker = true), from PostgreSQL 15 on",
    )
