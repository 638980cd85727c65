"""Scripts are cut where the server would cut them, and each statement is said to do what it does."""

from __future__ import annotations

import pytest

from mainstem.contract.effects import Effect, Grammar, only_statement, statements
from mainstem.contract.scripts import place
from mainstem.errors import InvalidError

POSTGRES = Grammar(
    "postgres", delimiters=False, runs_comments=False, schema_is="schema", into_writes=True,
    harmless=frozenset({"SELECT", "WITH"}),
)  # fmt: skip
MYSQL = Grammar(
    "mysql", delimiters=True, runs_comments=True, schema_is="database", into_writes=False,
    harmless=frozenset({"SELECT", "WITH"}), harmful=frozenset({"OUTFILE"}),
)  # fmt: skip
BODY = "create trigger t before insert on a for each row begin if 1 then set @a = case when 1 then 2 end; end if; end"


def texts(script: str, grammar: Grammar) -> list[str]:
    found = statements(script, grammar)
    assert [script[one.start : one.end] for one in found] == [one.text for one in found]
    return [one.text for one in found]


@pytest.mark.parametrize(
    ("script", "cut"),
    [
        ("", []),
        (" ;; -- nothing\n ;", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select '🧀;'; select E'\\';'", ["select '🧀;'", "select E'\\';'"]),
        ('select "a;b" ; select $x$;$$;$x$', ['select "a;b"', "select $x$;$$;$x$"]),
        ("select /* ; /* ; */ ; */ 1; select 2 -- ;", ["select /* ; /* ; */ ; */ 1", "select 2 -- ;"]),
        ("do $$ begin; end $$; call p('a;b'); show x", ["do $$ begin; end $$", "call p('a;b')", "show x"]),
        (
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3",
            [
                "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
                "select 3",
            ],
        ),
        ("begin; delete from t; commit", ["begin", "delete from t", "commit"]),
        ("select 1; select 'torn; select 2", ["select 1", "select 'torn; select 2"]),
    ],
)
def test_postgresql_scripts_are_cut_between_statements(script: str, cut: list[str]) -> None:
    assert texts(script, POSTGRES) == cut


@pytest.mark.parametrize(
    ("script", "cut"),
    [
        ("select `a;b`; select \"x;\"\"y\"; select 'a\\';b'", ["select `a;b`", 'select "x;""y"', "select 'a\\';b'"]),
        ("select 1; # ;\nselect 5--1; select 2", ["select 1", "# ;\nselect 5--1", "select 2"]),
        (f"{BODY}; select 1", [BODY, "select 1"]),
        ("select 1;\nDELIMITER //\nselect '//'; select 2// select 3//\ndelimiter ;\nselect 4",
         ["select 1", "select '//'; select 2", "select 3", "select 4"]),
        ("delimiter $$\nselect 1$$ select 2 $$", ["select 1", "select 2"]),
        ("select 'a\nDELIMITER //\n'; select 2", ["select 'a\nDELIMITER //\n'", "select 2"]),
        ("begin not atomic select 1; end; select 2", ["begin not atomic select 1; end", "select 2"]),
    ],
)  # fmt: skip
def test_mysql_scripts_are_cut_between_statements(script: str, cut: list[str]) -> None:
    assert texts(script, MYSQL) == cut


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("select * from t for update", Effect.READ),
        ("(select 1) union select 2", Effect.READ),
        ("with a as (select 1) select replace('a', 'b', 'c') from a", Effect.READ),
        ("explain delete from t", Effect.READ),
        ("explain (analyze) delete from t where a = 1", Effect.WRITE),
        ("explain analyze update t set a = 1", Effect.DESTROY),
        ("with a as (delete from t returning *) select * from a", Effect.DESTROY),
        ("with a as (select 1) insert into t select * from a", Effect.WRITE),
        ("select * into n from t", Effect.WRITE),
        ("insert into t values (1)", Effect.WRITE),
        ("update t set a = 1 where b = 2", Effect.WRITE),
        ("update t set a = 'where'", Effect.DESTROY),
        ("delete from t", Effect.DESTROY),
        ("drop table t", Effect.DESTROY),
        ("truncate t", Effect.DESTROY),
        ("alter table t drop column a", Effect.DESTROY),
        ("set search_path = x", Effect.SESSION),
        ("begin", Effect.SESSION),
        ("do $$ begin end $$", Effect.WRITE),
        ("nonsense", Effect.WRITE),
        ("select 'torn", Effect.WRITE),
    ],
)
def test_a_statement_is_said_to_do_what_it_does(sql: str, effect: Effect) -> None:
    found = only_statement(sql, POSTGRES)
    assert (found.effect, bool(found.warning)) == (effect, effect in {Effect.WRITE, Effect.DESTROY})


@pytest.mark.parametrize(
    "sql",
    [
        "/*! drop table t */", "select /*M! 1 */ 2", "select 1 into outfile '/x'", "call p()",
        "begin not atomic drop t; end", "set global a = 1",
    ],
)  # fmt: skip
def test_what_a_mysql_server_would_run_all_the_same_is_never_harmless(sql: str) -> None:
    found = only_statement(sql, MYSQL)
    assert (found.effect, found.harmless) == (Effect.WRITE, False)


def test_what_was_made_or_taken_away_is_named() -> None:
    found = statements("create schema a; drop database b; create table c(); select 1", POSTGRES)
    assert [set(one.objects) for one in found] == [{"schema"}, {"database"}, {"table"}, set()]
    assert only_statement("create schema a", MYSQL).objects == {"database"}


@pytest.mark.parametrize("script", ["", "select 1; select 2"])
def test_one_statement_is_asked_for_where_only_one_will_do(script: str) -> None:
    with pytest.raises(InvalidError, match="one statement"):
        only_statement(script, POSTGRES)


def test_an_offset_has_a_line_and_a_column() -> None:
    assert [place("ab\nc", offset) for offset in (0, 1, 3, 4)] == [(1, 1), (1, 2), (2, 1), (2, 2)]
