from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import DEADLINE_S, Pair, environment, mainstem, url


def test_copy_brings_schema_and_rows_across(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls)
    assert done.code == 0, done.err
    assert pair.postgres("SELECT count(*), sum(total)::text FROM purchase") == [(1000, "125125.00")]
    assert pair.postgres("SELECT name FROM customer WHERE id = 7") == [("Zoë ☕ 7",)]
    assert "rows add up: 1,200 read = 1,200 written + 0 rejected" in done.out
    assert "customer: 200 rows" in done.err


def test_json_is_one_document_on_stdout_and_nothing_on_stderr(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls, "--json")
    assert done.code == 0
    assert done.err == ""
    assert done.document["status"] == "FINISHED"
    assert done.document["total"]["rowsWritten"] == 1200
    assert {table["name"]: table["rowsWritten"] for table in done.document["tables"]} == {
        "customer": 200,
        "purchase": 1000,
    }
    waits = done.document["waits"]
    assert 0 < waits["source"] <= waits["lanes"]
    assert 0 < waits["target"] <= waits["lanes"] + 1


def test_passwords_may_come_from_the_environment(pair: Pair) -> None:
    done = mainstem(
        "copy",
        url(pair.source, password=""),
        url(pair.target, password="${TARGET_PW}"),
        "--quiet",
        MYSQL_PWD=pair.source.password,
        TARGET_PW=pair.target.password,
    )
    assert done.code == 0, done.err
    assert done.err == ""


def test_a_dry_run_prints_ddl_and_touches_nothing(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls, "--dry-run")
    assert done.code == 0
    assert 'CREATE TABLE "public"."customer"' in done.out
    assert "nothing was touched" in done.err
    assert pair.postgres("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_dry_run_as_json_has_statements_and_report(pair: Pair) -> None:
    document = mainstem("copy", *pair.urls, "--dry-run", "--json").document
    assert {table["source"].rpartition(".")[2] for table in document["tables"]} == {"customer", "purchase"}
    assert document["statements"][0]["phase"]
    assert "CREATE TABLE" in document["sql"]


def test_tables_can_be_chosen_left_out_and_retyped(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls, "--exclude", "purchase", "--type", "customer.name=text", "--schema", "moved")
    assert done.code == 0, done.err
    tables = pair.postgres("SELECT table_name FROM information_schema.tables WHERE table_schema = 'moved'")
    assert tables == [("customer",)]
    types = pair.postgres("SELECT data_type FROM information_schema.columns WHERE column_name = 'name'"
                          " AND table_schema = 'moved'")  # fmt: skip
    assert types == [("text",)]


def test_tables_columns_and_schemas_get_other_names_and_rows_are_chosen(pair: Pair) -> None:
    done = mainstem(
        "copy", *pair.urls, "--rename", "customer=client", "--rename", "customer.born=birthday", "--exclude-column",
        "purchase.total", "--where", "purchase=id <= 10", "--type", "int(11)=bigint", "--schema", "moved", "--json",
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    columns = pair.postgres(
        "SELECT table_name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'moved' GROUP BY table_name ORDER BY table_name"
    )
    assert columns == [
        ("client", "id bigint, name character varying, birthday date"),
        ("purchase", "id bigint, customer_id bigint"),
    ]
    assert pair.postgres("SELECT count(*) FROM moved.purchase") == [(10,)]
    assert pair.postgres("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
                         " WHERE contype = 'f'") == [("moved.purchase", "moved.client")]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--rename", "custmer=client", "did you mean customer"),
        ("--rename", "customer", "is not TABLE=NAME"),
        ("--rename", "customer=purchase", "would both become purchase"),
        ("--rename", "customer.name=id", "would both become id"),
        ("--rename", f"customer={'x' * 64}", "1 to 63 bytes"),
        ("--exclude-column", "customer.nam", "did you mean customer.name"),
        ("--where", "customer=id >", "must be one condition"),
        ("--where", "customer=nowhere > 1", "the condition on customer is refused"),
        ("--where", "custom=id > 1", "did you mean customer"),
        ("--type", "customer.name", "is not TABLE.COLUMN=TYPE"),
    ],
)
def test_an_option_that_cannot_be_meant_is_2_and_says_why(pair: Pair, option: str, value: str, told: str) -> None:
    done = mainstem("copy", *pair.urls, option, value)
    assert done.code == 2, done.out + done.err
    assert told in " ".join((done.out + done.err).replace("│", " ").split())
    assert pair.postgres("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'mainstem')") == [(0,)]


def test_values_that_a_policy_changed_are_counted_by_column(pair: Pair) -> None:
    pair.mysql("SET sql_mode = ''", "UPDATE customer SET born = '0000-00-00' WHERE id < 8")
    done = mainstem("copy", *pair.urls, "--zero-dates", "null")
    assert "Values changed by a policy: 7" in done.out, done.out + done.err
    again = mainstem(
        "copy", *pair.urls, "--zero-dates", "epoch", "--schema-policy", "drop_and_recreate", "--json"
    ).document
    assert sum(next(table["coerced"] for table in again["tables"] if table["name"] == "customer").values()) == 7


def test_an_unknown_table_is_2(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls, "--table", "nowhere")
    assert done.code == 2
    assert "nowhere" in done.err


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_an_unknown_table_is_told_with_names_that_are_near_and_what_to_do_here(pair: Pair, dry: list[str]) -> None:
    done = mainstem("copy", *pair.urls, "--table", "Customers", *dry)
    assert done.code == 2
    assert "did you mean customer?" in " ".join(done.err.split())
    assert "GET /" not in done.err


def test_a_limit_of_rows_ends_the_run_with_0(pair: Pair) -> None:
    done = mainstem("copy", *pair.urls, "--table", "purchase", "--limit-rows", "10", "--json")
    assert done.code == 0
    assert done.document["status"] == "EVENT_LIMIT_REACHED"
    assert done.document["total"]["rowsWritten"] == 10


def test_a_second_copy_is_refused_with_4(pair: Pair) -> None:
    assert mainstem("copy", *pair.urls, "--quiet").code == 0
    again = mainstem("copy", *pair.urls, "--json")
    assert again.code == 4
    assert again.document["code"] == "schema_conflict"
    assert again.document["remedy"]


def test_rows_that_do_not_fit_fail_the_run_or_are_put_aside(pair: Pair) -> None:
    pair.mysql("SET sql_mode = ''", "UPDATE customer SET born = '0000-00-00' WHERE id = 7")
    failed = mainstem("copy", *pair.urls, "--json")
    assert failed.code == 1
    assert failed.document["status"] == "FAILED"
    done = mainstem(
        "copy", *pair.urls, "--schema-policy", "drop_and_recreate", "--on-row-error", "quarantine",
        "--table", "customer",
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert "Rows put aside: 1" in done.out
    assert "199 written + 1 rejected" in done.out
    assert "7" in done.out.partition("Rows put aside")[2]
    as_null = mainstem(
        "copy", *pair.urls, "--schema-policy", "drop_and_recreate", "--zero-dates", "null", "--table", "customer",
        "--quiet",
    )  # fmt: skip
    assert as_null.code == 0, as_null.out
    assert pair.postgres("SELECT born FROM customer WHERE id = 7") == [(None,)]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_system_that_cannot_be_reached_is_3(pair: Pair, side: str) -> None:
    source, target = pair.urls
    wrong = "mysql://root:x@127.0.0.1:9/db" if side == "source" else "postgresql://root:x@127.0.0.1:9/db"
    done = mainstem("copy", *((wrong, target) if side == "source" else (source, wrong)), "--json")
    assert done.code == 3
    assert done.document["code"] == "refused"


def test_a_wrong_password_is_3_and_is_not_told(pair: Pair) -> None:
    done = mainstem("copy", url(pair.source, password="pl4nted-s3cret"), pair.urls[1])
    assert done.code == 3
    assert "pl4nted-s3cret" not in done.out + done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_copy_stops_cleanly_and_can_be_resumed(pair: Pair, number: signal.Signals) -> None:
    rows = 1_000_000
    pair.mysql(
        "CREATE TABLE big (id INT PRIMARY KEY, text VARCHAR(80) NOT NULL)",
        f"INSERT INTO big SELECT seq, repeat('x', 60) FROM seq_1_to_{rows}",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstem", "copy", *pair.urls, "--jobs", "1", "--table", "big"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    heard = ""
    while "copying rows" not in heard:
        line = process.stderr.readline()
        assert line, heard
        heard += line
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, out + err
    assert pair.source.password + "@" not in out + err
    command = next(line for line in err.splitlines() if "--resume" in line)
    run_id = command.rpartition(" ")[2]
    resumed = mainstem("copy", *pair.urls, "--jobs", "1", "--table", "big", "--resume", run_id)
    assert resumed.code == 0, resumed.out + resumed.err
    assert pair.postgres("SELECT count(*), count(DISTINCT id) FROM big") == [(rows, rows)]


def test_a_second_interrupt_ends_at_once(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE big (id INT PRIMARY KEY, text VARCHAR(80) NOT NULL)",
        "INSERT INTO big SELECT seq, repeat('x', 60) FROM seq_1_to_1000000",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstem", "copy", *pair.urls, "--jobs", "1", "--table", "big"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    while "copying rows" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    while process.poll() is None and "Ctrl-C again" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_S) in {130, -signal.SIGINT}  # a shell shows both as 130
