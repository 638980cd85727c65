from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mainstem.contract.store import ApiKeyRecord, ConfigRecord, ConnectionRecord, QueryRecord, StreamRecord, Voucher
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from mainstem.store.sql import SqlStore

CONNECTION = ConnectionRecord(
    "conn_1", 1_700_000_000_000_000, "käse 🧀", "mysql", "mariadb", "db", 3306, "root", "shop", "", "require",
    {"password": "v1:abc"},
)  # fmt: skip
CONFIG = ConfigRecord("config_1", 5, "nightly", "convert", "conn_1", "conn_2", {"tables": [{"name": "Ä"}]})
STREAM = StreamRecord(
    "stream_1", 7, "config_1", "nightly", "convert", "conn_1", "conn_2", {"mode": "convert"}, RunState.READY
)


def event(message: str, level: Level = Level.INFO) -> Event:
    return Event(level, Category.GENERAL, message, 12, "source", {"n": 1})


def test_a_connection_comes_back_as_it_was_saved(store: SqlStore) -> None:
    store.add_connection(CONNECTION)
    assert store.connection("conn_1") == CONNECTION
    assert store.connections() == [CONNECTION]


def test_a_replaced_connection_is_the_new_one(store: SqlStore) -> None:
    store.add_connection(CONNECTION)
    changed = replace(CONNECTION, host="other", secrets={})
    assert store.put_connection(changed)
    assert store.connection("conn_1") == changed


def test_what_does_not_exist_is_told_apart_from_what_does(store: SqlStore) -> None:
    assert store.connection("conn_1") is None
    assert not store.put_connection(CONNECTION)
    assert not store.delete_connection("conn_1")
    store.add_connection(CONNECTION)
    assert store.delete_connection("conn_1")
    assert store.connections() == []


def test_lists_are_oldest_first(store: SqlStore) -> None:
    for number in (3, 1, 2):
        store.add_config(replace(CONFIG, id=f"config_{number}", created_us=number))
    assert [config.id for config in store.configs()] == ["config_1", "config_2", "config_3"]
    assert store.config("config_2") == replace(CONFIG, id="config_2", created_us=2)


def test_streams_are_newest_first_and_can_be_narrowed_down(store: SqlStore) -> None:
    store.add_stream(STREAM)
    store.add_stream(replace(STREAM, id="stream_2", created_us=8, state=RunState.RUNNING))
    store.add_stream(replace(STREAM, id="stream_3", created_us=9, config_id="config_9", state=RunState.RUNNING))
    assert [stream.id for stream in store.streams()] == ["stream_3", "stream_2", "stream_1"]
    assert [stream.id for stream in store.streams(config_id="config_1")] == ["stream_2", "stream_1"]
    assert [stream.id for stream in store.streams(states=[RunState.READY])] == ["stream_1"]


def test_saving_progress_changes_nothing_else(store: SqlStore) -> None:
    store.add_stream(STREAM)
    store.save_progress("stream_1", {"rows": 5})
    assert store.stream("stream_1") == replace(STREAM, progress={"rows": 5})


def test_a_stream_takes_its_log_with_it(store: SqlStore) -> None:
    store.add_stream(STREAM)
    store.append_logs([("stream_1", event("a")), ("stream_2", event("b"))], keep=10)
    assert store.delete_stream("stream_1")
    assert store.logs("stream_1") == []
    assert [line.event.message for line in store.logs("stream_2")] == ["b"]


def test_logs_keep_the_newest_lines_of_each_stream(store: SqlStore) -> None:
    store.append_logs([("stream_2", event("other"))], keep=3)
    for start in (0, 4):
        store.append_logs([("stream_1", event(str(number))) for number in range(start, start + 4)], keep=3)
    assert [line.event.message for line in store.logs("stream_1")] == ["5", "6", "7"]
    assert [line.event.message for line in store.logs("stream_1", limit=2)] == ["6", "7"]
    assert [line.event.message for line in store.logs("stream_2")] == ["other"]


def test_logs_can_be_narrowed_to_levels(store: SqlStore) -> None:
    store.append_logs([("s", event("fine")), ("s", event("bad", Level.ERROR))], keep=10)
    assert [line.event for line in store.logs("s", levels=["error"])] == [event("bad", Level.ERROR)]


def test_a_key_is_revoked_once(store: SqlStore) -> None:
    record = ApiKeyRecord("key_1", 1, "first", "d" * 64, "abcd")
    store.add_key(record)
    assert store.revoke_key("key_1", 99)
    assert not store.revoke_key("key_1", 100)
    assert store.api_keys() == [replace(record, revoked_us=99)]


def test_a_setting_is_written_once(store: SqlStore) -> None:
    assert store.setting("install_id") is None
    assert store.setdefault("install_id", "a") == "a"
    assert store.setdefault("install_id", "b") == "a"
    assert store.setting("install_id") == "a"


def test_many_threads_write_and_read_at_once(store: SqlStore) -> None:
    def work(number: int) -> int:
        store.add_connection(replace(CONNECTION, id=f"conn_{number}", created_us=number))
        return len(store.connections())

    with ThreadPoolExecutor(25) as pool:
        seen = list(pool.map(work, range(50)))
    assert len(store.connections()) == 50
    assert max(seen) == 50


def test_a_record_does_not_print_its_secrets() -> None:
    assert "v1:abc" not in repr(CONNECTION)


def test_the_newest_stream_of_each_config_is_told_with_how_many_there_are(store: SqlStore) -> None:
    for number, config in ((1, "a"), (2, "b"), (3, "a")):
        store.add_stream(replace(STREAM, id=f"stream_{number}", created_us=number, config_id=config))
    assert [(record.id, runs) for record, runs in store.newest_streams()] == [("stream_3", 2), ("stream_2", 1)]


def test_a_timeline_goes_with_its_stream(store: SqlStore) -> None:
    store.add_stream(STREAM)
    assert store.timeline(STREAM.id) == {}
    for seconds in (1, 2):
        store.save_timeline(STREAM.id, {"all": [seconds]})
    assert store.timeline(STREAM.id) == {"all": [2]}
    store.delete_stream(STREAM.id)
    assert store.timeline(STREAM.id) == {}


def test_troubles_stay_when_other_lines_push_them_out(store: SqlStore) -> None:
    lines = [event("old", Level.WARN), event("w1", Level.WARN), event("w2", Level.ERROR)]
    lines += [event(f"line {number}") for number in range(5)]
    store.append_logs([("stream_1", line) for line in lines], keep=2, keep_troubles=2)
    assert [line.event.message for line in store.logs("stream_1")] == ["w1", "w2", "line 3", "line 4"]


def test_lines_can_be_had_from_either_side_of_a_number(store: SqlStore) -> None:
    store.append_logs([("stream_1", event(f"line {number}")) for number in range(9)], keep=100)
    numbers = [line.number for line in store.logs("stream_1")]
    assert [line.number for line in store.logs("stream_1", before=numbers[5], limit=2)] == numbers[3:5]
    assert [line.number for line in store.logs("stream_1", after=numbers[5], limit=2)] == numbers[6:8]
    assert store.log_begin("stream_1", 3) == numbers[6]
    assert store.log_begin("stream_1", 10) == 0


QUERY = QueryRecord(5, "conn_1", "käse", "shop", "SELECT 100%_", "ok", "", 12, 3)


def test_what_users_ran_is_newest_first_and_can_be_narrowed_down(store: SqlStore) -> None:
    store.add_query(QUERY, keep=10)
    store.add_query(replace(QUERY, query="select 1000", connection_id="conn_2"), keep=10)
    first, second = store.queries()
    assert (first.query, replace(second, number=0)) == ("select 1000", QUERY)
    assert [item.query for item in store.queries(search="0%_")] == ["SELECT 100%_"]
    assert [item.query for item in store.queries(search="SELECT", connection_id="conn_2")] == ["select 1000"]
    assert store.queries(before=first.number) == [second]
    assert store.queries(limit=1) == [first]


def test_only_the_newest_of_what_users_ran_stays_until_all_is_forgotten(store: SqlStore) -> None:
    for number in range(5):
        store.add_query(replace(QUERY, at_us=number), keep=3)
    assert [item.at_us for item in store.queries()] == [4, 3, 2]
    assert store.clear_queries() == 3
    assert store.queries() == []


def test_a_setting_can_be_replaced(store: SqlStore) -> None:
    for value in ("on", "off"):
        store.set_setting("history", value)
        assert store.setting("history") == value


def test_lines_of_all_streams_can_be_followed_by_their_numbers(store: SqlStore) -> None:
    assert store.log_end() == 0
    store.append_logs([("a", event("1")), ("b", event("2"))], keep=10)
    end = store.log_end()
    store.delete_stream("b")
    store.append_logs([("a", event("3")), ("c", event("4"))], keep=10)
    later = store.logs("", after=end)
    assert [(line.stream_id, line.event.message) for line in later] == [("a", "3"), ("c", "4")]
    assert store.log_end() == later[-1].number


def test_of_many_who_ask_for_a_voucher_one_gets_it(store: SqlStore) -> None:
    store.add_voucher(Voucher("ticket", "a", "mine"), lasts_s=60, most=5)
    assert store.take_voucher("export", "a") is None
    assert store.voucher("ticket", "a") == Voucher("ticket", "a", "mine")
    with ThreadPoolExecutor(8) as pool:
        taken = [found.value for found in pool.map(lambda _: store.take_voucher("ticket", "a"), range(8)) if found]
    assert taken == ["mine"]
    assert store.voucher("ticket", "a") is None


def test_vouchers_that_are_too_old_or_too_many_go(store: SqlStore) -> None:
    store.add_voucher(Voucher("ticket", "old", ""), lasts_s=0, most=9)
    assert (store.take_voucher("ticket", "old"), store.voucher("ticket", "old"), store.vouchers("ticket")) == (
        None, None, [],
    )  # fmt: skip
    for number in range(5):
        store.add_voucher(Voucher("ticket", f"id{number}", ""), lasts_s=100 + number, most=2)
    store.add_voucher(Voucher("export", "x", "a"), lasts_s=60, most=2)
    store.add_voucher(Voucher("export", "x", "b"), lasts_s=60, most=2)
    assert [voucher.id for voucher in store.vouchers("ticket")] == ["id3", "id4"]
    assert store.vouchers("export") == [Voucher("export", "x", "b")]


def test_settings_are_written_by_many_at_once(store: SqlStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(lambda number: store.setdefault("secret_check", str(number)), range(16)))
        list(pool.map(lambda number: store.set_setting("history", str(number)), range(16)))
    assert seen == {store.setting("secret_check")}
