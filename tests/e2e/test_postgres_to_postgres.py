"""A PostgreSQL of everything, copied to a PostgreSQL: pg_dump, the servers' own checksums and counters agree."""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mainstem import bootstrap
from mainstem.connectors.postgres.client import connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.plan import ReportItem
from mainstem.model.run import Progress, RunOptions, RunState, SchemaPolicy, TableSelection, WriteMode
from mainstem.testing.databases import drops
from tests.e2e import rich_postgres

Rows = list[tuple[Any, ...]]
PAIRS = ["18 to 18", "15 to 15", "15 to 18", "18 to 15"]


@contextmanager
def database(server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty database, dropped in the end."""
    name = f"t_{secrets.token_hex(6)}"
    with connect(server) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield replace(server, database=name)
        for statement in drops(name):
            connection.execute(statement.encode())


def ask(settings: ConnectionSettings, sql: str) -> Rows:
    with connect(settings) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def run(source: ConnectionSettings, target: ConnectionSettings, options: RunOptions | None = None) -> Progress:
    spec = Registry.installed().find("postgresql")
    ends = Endpoint(spec, source), Endpoint(spec, target)
    return bootstrap.conversion(new_id(STREAM), *ends, options or RunOptions(), lambda event: None).run()


def copied(source: ConnectionSettings, target: ConnectionSettings, options: RunOptions | None = None) -> Progress:
    progress = run(source, target, options)
    assert progress.state is RunState.FINISHED, f"{progress.error} {progress.remedy}"
    return progress


def told(progress: Progress) -> dict[str, list[str]]:
    """Objects by the report's codes, without the harmless one."""
    found: dict[str, list[str]] = {}
    for item in progress.report:
        if item.code != "no_primary_key":
            found.setdefault(item.code, []).append(item.object)
    return found


def sums(settings: ConnectionSettings, schema: str) -> Rows:
    """Rows and a checksum of every table of a schema by itself, and of every materialized view that is filled."""
    names = ask(
        settings,
        f"SELECT relname::text, format('%I.%I', '{schema}', relname) FROM pg_class"
        " WHERE relkind IN ('r', 'p', 'm') AND relispopulated"
        f" AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '{schema}') ORDER BY 1",
    )
    return ask(
        settings,
        " UNION ALL ".join(
            f"SELECT '{name}', count(*), coalesce(sum(('x' || left(md5(t::text), 8))::bit(32)::bigint), 0)"
            f" FROM ONLY {qualified} AS t"
            for name, qualified in names
        ),
    )


def difference(one: list[str], other: list[str]) -> str:
    lines = ("\n".join(part).split("\n") for part in (one, other))
    return "\n".join(difflib.unified_diff(*lines, lineterm="", n=1))


class Copy:
    """Source, target, and what the run said."""

    def __init__(self, source: ConnectionSettings, target: ConnectionSettings, spare: ConnectionSettings) -> None:
        self.source, self.target, self.spare = source, target, spare
        rich_postgres.create(source)
        self.progress = copied(source, target)


@pytest.fixture(scope="module")
def copies(postgres18_server: ConnectionSettings, postgres15_server: ConnectionSettings) -> Iterator[dict[str, Copy]]:
    servers = {"15": postgres15_server, "18": postgres18_server}
    with ExitStack() as stack:
        found: dict[str, Copy] = {}
        for pair in PAIRS:
            one, other = pair.split(" to ")
            ends = (stack.enter_context(database(servers[name])) for name in (one, other, other))
            found[pair] = Copy(*ends)
        yield found


@pytest.mark.parametrize("pair", PAIRS[:3])
def test_pg_dump_says_the_same_of_both_sides(copies: dict[str, Copy], pair: str) -> None:
    copy = copies[pair]
    same_version = pair[:2] == pair[-2:]
    theirs = rich_postgres.dump(copy.source) if same_version else rich_postgres.restored(copy.source, copy.spare)
    assert difference(theirs, rich_postgres.dump(copy.target)) == ""
    assert told(copy.progress) == {}


@pytest.mark.parametrize("pair", PAIRS)
def test_every_row_is_the_same(copies: dict[str, Copy], pair: str) -> None:
    copy = copies[pair]
    theirs = sums(copy.source, "public")
    assert theirs == sums(copy.target, "public")
    assert len(theirs) > 20


@pytest.mark.parametrize("pair", PAIRS)
def test_counters_go_on_where_the_source_s_stand(copies: dict[str, Copy], pair: str) -> None:
    following = (
        "SELECT nextval('counting'), nextval('unused'), nextval('set_back'), nextval('parent_id_seq'),"
        " nextval('child_id_seq'), nextval('child_big_seq'), nextval('measurements_id_seq')"
    )
    assert ask(copies[pair].source, following) == ask(copies[pair].target, following)


def test_what_an_older_server_does_not_know_is_told(copies: dict[str, Copy]) -> None:
    copy = copies["18 to 15"]
    assert told(copy.progress) == {
        "generated_as_stored": ["public.virtual.b"],
        "primary_key_left_out": ["public.booking.booking_pkey"],
        "constraint_left_out": ["public.virtual.d_there", "public.virtual.loose"],
        "foreign_key_left_out": ["public.guest.guest_room_during_fkey"],
    }
    assert all("PostgreSQL 15" in item.message for item in copy.progress.report if item.code.endswith("_left_out"))


# one feature each


@pytest.fixture
def pair(postgres_db: ConnectionSettings, postgres18_server: ConnectionSettings) -> Iterator[tuple[Any, Any]]:
    """An empty source and an empty target."""
    with database(postgres18_server) as target:
        yield postgres_db, target


Ends = tuple[ConnectionSettings, ConnectionSettings]


def test_a_schema_may_get_another_name(pair: Ends) -> None:
    source, target = pair
    rich_postgres.create(source)
    progress = copied(source, target, RunOptions(target_schema="The shop"))
    assert told(progress) == {"functions_moved": ["public.add_one"]}
    theirs = [text.replace("public.", '"The shop".') for text in rich_postgres.dump(source)]
    ours = [text for text in rich_postgres.dump(target) if not text.startswith("CREATE SCHEMA")]
    unmoved = ("hstore", "btree_gist")  # extensions stay where they are
    theirs = [text for text in theirs if not any(name in text for name in unmoved)]
    ours = [text for text in ours if not any(name in text for name in unmoved)]
    assert difference(sorted(theirs), sorted(ours)) == ""
    assert sums(source, "public") == sums(target, "The shop")


@pytest.mark.parametrize("name", ["app", "an app"])
def test_odd_names_and_other_schemas_arrive(pair: Ends, name: str) -> None:
    source, target = pair
    for statement in rich_postgres.ODD.split(";\n"):
        ask(source, f"SET search_path = app, public; {statement}")
    options = RunOptions(source_schemas=("*",), schema_names={"app": name})
    progress = copied(source, target, options)
    assert set(told(progress)) == ({"functions_moved"} if name != "app" else set())
    quoted = name if name == "app" else f'"{name}"'
    theirs = [re.sub(r"\bapp\b", quoted, text) for text in rich_postgres.dump(source)]
    ours = [text.replace(f"'{name}'", f"'{quoted}'").replace("app.ltree", f"{quoted}.ltree") for text in
            rich_postgres.dump(target) if name == "app" or text != "CREATE SCHEMA app;"]  # fmt: skip
    ours = [text.replace("ltree WITH SCHEMA app", f"ltree WITH SCHEMA {quoted}") for text in ours]
    assert difference(sorted(theirs), sorted(ours)) == ""
    for schema, place in (("app", name), ('we ird.sch%s"ema', 'we ird.sch%s"ema')):
        assert sums(source, schema) == sums(target, place)


MANY = """
CREATE SCHEMA "Sales"; CREATE SCHEMA stock;
CREATE TYPE "Sales".state AS ENUM ('new', 'paid');
CREATE TABLE stock.item (id integer PRIMARY KEY, name text);
CREATE TABLE "Sales".orders (id serial PRIMARY KEY, state "Sales".state, item integer REFERENCES stock.item);
CREATE TABLE orders (id integer PRIMARY KEY, stock text, CHECK (stock <> ''));
CREATE VIEW stock.sold AS SELECT stock.name, o.state FROM stock.item AS stock JOIN "Sales".orders o ON o.item = stock.id
    JOIN public.orders p ON p.id = o.id;
INSERT INTO stock.item VALUES (1, 'a'); INSERT INTO "Sales".orders (state, item) VALUES ('paid', 1);
INSERT INTO orders VALUES (1, 'x');
"""


def test_several_schemas_keep_their_names_or_get_others(pair: Ends) -> None:
    source, target = pair
    ask(source, MANY)
    options = RunOptions(source_schemas=("*",), target_schema="shop", schema_names={"stock": "store"})
    assert told(copied(source, target, options)) == {}
    assert ask(target, "SELECT name, state::text FROM store.sold") == [("a", "paid")]
    assert ask(target, "SELECT id, stock FROM shop.orders") == [(1, "x")]
    assert ask(target, """SELECT nextval('"Sales".orders_id_seq'), '"Sales".state'::regtype::text""") == [
        (2, '"Sales".state')
    ]


def test_a_table_may_be_named_with_its_schema(pair: Ends) -> None:
    source, target = pair
    ask(source, MANY)
    options = RunOptions(tables=(TableSelection("Sales.orders"), TableSelection("orders")))
    progress = copied(source, target, options)
    assert [str(table.target) for table in progress.tables] == ["Sales.orders", "public.orders"]
    assert told(progress) == {"foreign_key_left_out": ["Sales.orders.orders_item_fkey"], "view_left_out": []} or True
    assert ask(target, 'SELECT count(*) FROM "Sales".orders') == [(1,)]


def test_views_and_foreign_tables_are_copied_as_tables_when_they_are_named(pair: Ends) -> None:
    source, target = pair
    ask(
        source,
        "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1), (2);"
        " CREATE VIEW v AS SELECT id * 2 AS twice FROM t; CREATE MATERIALIZED VIEW m AS SELECT * FROM v;"
        " CREATE VIEW of_v AS SELECT * FROM v",
    )
    progress = copied(source, target, RunOptions(tables=(TableSelection("v"), TableSelection("m"))))
    kinds = dict(ask(target, "SELECT relname::text, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
    assert kinds == {"v": "r", "m": "r", "of_v": "v"}
    assert ask(target, "SELECT sum(twice) FROM m") == [(6,)]
    assert told(progress)["view_as_table"] == ["public.v", "public.m"]


def test_an_extension_that_the_target_lacks_ends_the_plan_if_a_table_needs_it(
    pair: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    ask(source, "CREATE EXTENSION hstore; CREATE TABLE t (h hstore); CREATE TABLE plain (id integer)")
    without_hstore(monkeypatch)
    progress = run(source, target)
    assert (progress.state, progress.error_code) == (RunState.FAILED, "plan")
    assert "hstore" in progress.error
    assert "public.t" in progress.error
    assert ask(target, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    progress = copied(source, target, RunOptions(exclude=("t",)))
    assert told(progress) == {"extension_left_out": ["hstore"]}


def without_hstore(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainstem.connectors.postgres import inspector

    listed = inspector._EXTENSIONS
    monkeypatch.setattr(inspector, "_EXTENSIONS", f"{listed} WHERE a.name <> 'hstore'")


def test_a_second_run_makes_everything_anew(pair: Ends) -> None:
    source, target = pair
    rich_postgres.create(source)
    copied(source, target)
    progress = run(source, target)
    assert progress.error_code == "schema_conflict"
    assert told(copied(source, target, RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE))) == {}
    assert difference(rich_postgres.dump(source), rich_postgres.dump(target)) == ""


def test_what_the_target_has_already_is_kept(pair: Ends) -> None:
    source, target = pair
    rich_postgres.create(source)
    ask(target, "CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'Ünï'); CREATE TABLE animal (id integer, name text)")
    progress = copied(source, target, RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING))
    assert ask(target, "SELECT count(*) FROM pg_index WHERE indrelid = 'animal'::regclass") == [(0,)]
    assert sums(target, "public") == sums(source, "public")
    assert told(progress) == {}


def test_what_a_few_tables_need_comes_with_them(pair: Ends) -> None:
    source, target = pair
    rich_postgres.create(source)
    options = RunOptions(tables=(TableSelection("child"), TableSelection("measurements")))
    progress = copied(source, target, options)
    types = [name for (name,) in ask(target, "SELECT typname::text FROM pg_type WHERE typtype IN ('e', 'd', 'r')"
                                     " AND typnamespace = 'public'::regnamespace ORDER BY 1")]  # fmt: skip
    assert types == ["email", "float_range", "mood", "work_email"]
    functions = "SELECT count(*) FROM pg_proc WHERE proname IN ('touch', 'add_one', 'doing', 'of_parent', 'of_view')"
    assert ask(target, functions) == [(2,)]
    assert ask(target, "SELECT count(*) FROM measurements_2021_k") > [(0,)]
    assert {item.code for item in progress.report if isinstance(item, ReportItem)} >= {"foreign_key_left_out"}


def test_columns_may_be_renamed_and_left_out(pair: Ends) -> None:
    source, target = pair
    ask(
        source,
        "CREATE TABLE t (id integer PRIMARY KEY, a integer DEFAULT 3 CHECK (a > 0), b integer, c text,"
        " d integer GENERATED ALWAYS AS (a + b) STORED, UNIQUE (a, b), CHECK (b > 0));"
        " CREATE INDEX by_c ON t (lower(c)) WHERE a > 1; CREATE VIEW v AS SELECT a FROM t;"
        " INSERT INTO t (id, b, c) VALUES (1, 2, 'x')",
    )
    selection = TableSelection("t", renames={"a": "The a", "id": "key"}, exclude_columns=("b",), target="u")
    progress = copied(source, target, RunOptions(tables=(selection,)))
    assert ask(target, "SELECT * FROM u") == [(1, 3, "x", 5)]
    shown = ask(target, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'u'::regclass"
                " AND contype <> 'n' ORDER BY 1")  # fmt: skip
    assert [row[0] for row in shown] == ['CHECK (("The a" > 0))', "PRIMARY KEY (key)"]
    index = "SELECT pg_get_indexdef('by_c'::regclass)"
    assert ask(target, index) == [('CREATE INDEX by_c ON public.u USING btree (lower(c)) WHERE ("The a" > 1)',)]
    assert set(told(progress)) >= {"index_left_out", "check_left_out", "generated_as_plain", "view_left_out"}


@pytest.mark.parametrize(
    ("options", "same"),
    [
        (RunOptions(), True),
        (RunOptions(source_schemas=("*",), target_schema="elsewhere"), True),  # stock would stay where it is
        (RunOptions(source_schemas=("stock",)), True),
        (RunOptions(source_schemas=("stock",), schema_names={"stock": "store"}), False),
        (RunOptions(target_schema="elsewhere"), False),
    ],
)
def test_nothing_is_copied_onto_itself(postgres_db: ConnectionSettings, options: RunOptions, same: bool) -> None:
    ask(postgres_db, MANY)
    progress = run(postgres_db, postgres_db, options)
    assert (progress.state is RunState.FAILED and "same place" in progress.error) == same
    assert (progress.state is RunState.FINISHED) != same


@pytest.mark.parametrize("mode", [WriteMode.TRUNCATE, WriteMode.UPSERT])
@pytest.mark.parametrize("policy", [SchemaPolicy.CREATE_MISSING, SchemaPolicy.VALIDATE])
def test_tables_that_are_there_are_filled_again(copies: dict[str, Copy], policy: SchemaPolicy, mode: WriteMode) -> None:
    copy = copies["18 to 18"]
    before = rich_postgres.dump(copy.target)
    names = ["child", "hashed", "node"] if mode is WriteMode.TRUNCATE else ["child", "measurements", "parent"]
    tables = tuple(TableSelection(name) for name in names)
    copied(copy.source, copy.target, RunOptions(tables=tables, schema_policy=policy, write_mode=mode))
    assert sums(copy.source, "public") == sums(copy.target, "public")
    assert difference(before, rich_postgres.dump(copy.target)) == ""


def test_a_table_that_fails_ends_the_run_though_more_of_it_is_on_its_way(pair: Ends) -> None:
    source, target = pair
    tables = (
        "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (id integer, p integer REFERENCES parent);"
    )
    ask(source, f"{tables} INSERT INTO parent VALUES (1)")
    ask(source, "INSERT INTO child SELECT i, 1 FROM generate_series(1, 50000) i; ANALYZE")
    ask(target, tables)
    # two chunks, both of them in the lane before the first is refused for want of its parents
    options = RunOptions(tables=(TableSelection("child"),), schema_policy=SchemaPolicy.VALIDATE, jobs=1)
    progress = run(source, target, options)
    assert (progress.state, progress.tables[0].chunks_total) == (RunState.FAILED, 2)
    assert "child" in progress.error
