"""The hub on NATS: what it is told at its start, and what becomes of it when NATS goes away."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nkeys
import pytest
import trustme

from mainstem.errors import ConnectError, InvalidError, LostConnectionError, MainstemError
from mainstem.hub import receiving
from mainstem.hub.address import NatsAddress, read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub, NatsHubs
from mainstem.hub.receiving import ReceivingLane
from mainstem.hub.sending import SendingLane
from mainstem.model.batch import RawBatch
from mainstem.model.frame import Abort, Chunk
from mainstem.model.names import TableId
from mainstem.testing.nats import NatsServer, nats, nats_cluster
from mainstem.testing.proxy import Proxy
from mainstem.testing.servers import free_port

TABLE = TableId("shop", "t")
MIB = 1024 * 1024


def address(text: str) -> NatsAddress:
    found = read_address(text)
    assert found is not None
    return found


def login(server: NatsServer, who: str, options: str = "") -> str:
    return server.url.replace("nats://", f"nats://{who}@") + options


def passes(link: NatsLink) -> None:
    """A frame goes through a hub of this connection."""
    with NatsHub(link, "r.more", MIB) as hub:
        hub.lane(0).publish(Abort(Chunk(TABLE, 1)))
        delivery = hub.lane(0).receive()
    assert delivery is not None
    assert delivery.frame == Abort(Chunk(TABLE, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://host", "neither memory nor a URL"),
        ("nats://", "neither memory nor a URL"),
        ("nats://host:99999", "no number up to 65535"),
        ("nats://host/path", "only options may follow"),
        ("nats://host?colour=red", "no option colour"),
        ("nats://host?replicas=9", "replicas must be a number from 1 to 5"),
        ("nats://host?storage=tape", "storage must be one of memory, file"),
        ("nats://host?compression=7z", "compression must be one of none, lz4, zstd"),
        ("nats://host?namespace=a.b", "namespace must be"),
        ("nats://host?max_age=6", "max_age must be a number with s, m, h or d"),
        ("nats://host?max_age=59s", "from 60s to 365d"),
        ("nats://host?max_age=366d", "from 60s to 365d"),
        ("nats://host?credentials=/nowhere/x.creds", "credentials names a file that is not there"),
        ("nats://user:geheim@", "a host is missing"),
    ],
)
def test_a_setting_that_is_wrong_is_told_with_its_part_and_without_its_login(text: str, told: str) -> None:
    with pytest.raises(InvalidError, match=told) as caught:
        read_address(text)
    assert "hub" in caught.value.fields
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "memory", " MEMORY "])
def test_without_nats_the_hub_is_in_memory(text: str) -> None:
    assert read_address(text) is None


def test_several_servers_with_a_login_and_options_are_read() -> None:
    found = address("tls://a%40b:p%3Aw@one,two:4333/?replicas=3&storage=file&namespace=x&max_age=6h")
    assert found.max_age_s == 6 * 3600
    assert found.servers == ("nats://one:4222", "nats://two:4333")
    assert (found.user, found.password, found.replicas, found.on_disk, found.tls) == ("a@b", "p:w", 3, True, True)
    assert "p:w" not in repr(found)


def test_a_server_that_is_not_there_is_told_with_the_setting_to_correct() -> None:
    with pytest.raises(ConnectError, match="cannot be reached") as caught:
        NatsLink(address(f"nats://127.0.0.1:{free_port()}"), "i").open()
    assert "MAINSTEM_HUB" in caught.value.remedy


def test_a_server_without_jetstream_is_told() -> None:
    with nats(jetstream=False) as server, pytest.raises(InvalidError, match="no JetStream") as caught:
        NatsLink(address(server.url), "i").open()
    assert "-js" in caught.value.remedy


def test_a_server_that_takes_only_tiny_messages_is_told() -> None:
    with nats({"max_payload": 1024}) as server, pytest.raises(InvalidError, match="1,024 bytes") as caught:
        NatsLink(address(server.url), "i").open()
    assert "max_payload" in caught.value.remedy


def test_a_server_with_a_small_bound_of_messages_serves() -> None:
    with nats({"max_payload": 64 * 1024}) as server, NatsLink(address(server.url), "i") as link:
        passes(link)


def test_a_login_by_password_is_used_and_a_wrong_one_told_without_it() -> None:
    with nats({"authorization": {"user": "u", "password": "richtig"}}) as server:
        with NatsLink(address(login(server, "u:richtig")), "i") as link:
            passes(link)
        with pytest.raises(ConnectError, match="refused the login") as caught:
            NatsLink(address(login(server, "u:falsch")), "i").open()
    assert "falsch" not in str(caught.value)


def test_a_login_by_token_is_used() -> None:
    with nats({"authorization": {"token": "zeichen"}}) as server:
        with NatsLink(address(login(server, "zeichen")), "i") as link:
            passes(link)
        with pytest.raises(ConnectError, match="refused the login"):
            NatsLink(address(server.url), "i").open()


def test_a_refused_login_is_told_also_when_the_connection_was_reset_before_its_reason_was_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse(resets: int) -> None:
            for number in range(resets + 1):
                client, _ = listener.accept()
                with client, client.makefile("rb") as sent:
                    client.sendall(b'INFO {"server_id":"s","version":"2.15.1","max_payload":1048576}\r\n')
                    assert sent.readline().startswith(b"CONNECT ")
                    if number < resets:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        client.sendall(b"-ERR 'Authorization Violation'\r\n")

        server = threading.Thread(target=refuse, args=(2,), daemon=True)
        server.start()
        with pytest.raises(ConnectError, match="refused the login"):
            NatsLink(address(f"nats://u:p@127.0.0.1:{listener.getsockname()[1]}"), "i").open()
        server.join(10)
        assert not server.is_alive()


def test_a_login_by_nkey_is_used(tmp_path: Path) -> None:
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    path = tmp_path / "user.nk"
    path.write_bytes(seed)
    with nats({"authorization": {"users": [{"nkey": public}]}}) as server:
        with NatsLink(address(f"{server.url}?nkey={path}"), "i") as link:
            passes(link)
        with pytest.raises(ConnectError, match="refused the login"):
            NatsLink(address(server.url), "i").open()


def test_a_connection_over_tls_checks_the_server(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    files = {"cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}
    pair.private_key_pem.write_to_path(files["key_file"])
    for blob in pair.cert_chain_pems:
        blob.write_to_path(files["cert_file"], append=True)
    for name, made in (("ca", authority), ("other", other)):
        made.cert_pem.write_to_path(tmp_path / f"{name}.pem")
    with nats({"tls": {name: str(path) for name, path in files.items()}}) as server:
        with NatsLink(address(f"{server.url}?ca={tmp_path / 'ca.pem'}"), "i") as link:
            passes(link)
        with pytest.raises(ConnectError) as caught:
            NatsLink(address(f"{server.url}?ca={tmp_path / 'other.pem'}"), "i").open()
    assert isinstance(caught.value.__cause__, ssl.SSLError | Exception)
    assert "TLS" in str(caught.value)


def test_two_installations_share_a_server_and_not_a_namespace(nats_server: NatsServer) -> None:
    with NatsLink(address(nats_server.url), "one") as one, NatsLink(address(nats_server.url), "two") as two:
        passes(one)
        passes(two)
    mine = f"{nats_server.url}?namespace=shared"
    with NatsLink(address(mine), "one"):
        pass
    with NatsLink(address(mine), "one"):
        pass
    with pytest.raises(InvalidError, match="belongs to another installation") as caught:
        NatsLink(address(mine), "two").open()
    assert "namespace=" in caught.value.remedy


def test_a_new_start_of_a_run_removes_what_an_earlier_one_left(link: NatsLink) -> None:
    with NatsLink(link.address, link.installation) as killed:
        left = NatsHubs(killed, "again")(MIB)
        left.lane(0).publish(Abort(Chunk(TABLE, 1)))
    stranger, same = NatsHubs(link, "other")(MIB), NatsHubs(link, "again")(MIB)
    hubs = NatsHubs(link, "again")
    with hubs(MIB) as hub, hubs(MIB) as beside, stranger, same:
        assert hub.lane(0).poll() is None
        names = [info.config.name for info in link.call(link.js.streams_info())]
        assert {hub.stream, beside.stream, stranger.stream, same.stream} <= set(names)
        assert left.stream not in names
    names = [info.config.name for info in link.call(link.js.streams_info())]
    assert hub.stream not in names


@pytest.fixture
def far(link: NatsLink) -> Iterator[NatsLink]:
    """A second connection of the same installation, as another process has."""
    with NatsLink(link.address, link.installation) as opened:
        yield opened


def test_the_halves_of_a_lane_work_in_different_processes(link: NatsLink, far: NatsLink) -> None:
    with NatsHub(link, "halves", MIB) as hub:
        sending, receiving = SendingLane(far, hub.place(3)), ReceivingLane(link, hub.place(3))

        def send() -> None:
            for number in range(8):
                sending.publish(RawBatch(TABLE, bytes(MIB), number))
            sending.close()

        thread, errors = errors_of(send)
        numbers: list[int] = []
        while (delivery := receiving.receive()) is not None:
            assert isinstance(delivery.frame, RawBatch)
            numbers.append(delivery.frame.count)
        thread.join(30)
        sending.release()
    assert (numbers, errors) == (list(range(8)), [])
    assert far.traffic.messages > 8
    assert not far.reconnected


def test_halves_far_from_a_hub_that_is_removed_find_a_lost_connection(link: NatsLink, far: NatsLink) -> None:
    with NatsHub(link, "removed", MIB) as hub:
        sending, receiving = SendingLane(far, hub.place(0)), ReceivingLane(far, hub.place(0))
        receiver, receiving_errors = errors_of(receiving.receive)

    def send() -> bool:
        sending.publish(Abort(Chunk(TABLE, 1)))
        return True

    sender, sending_errors = errors_of(send)
    receiver.join(30)
    sender.join(30)
    assert [type(error) for error in (*receiving_errors, *sending_errors)] == [LostConnectionError] * 2
    with pytest.raises(LostConnectionError):
        ReceivingLane(far, hub.place(0))


def errors_of(work: Callable[[], Any]) -> tuple[threading.Thread, list[MainstemError]]:
    """Run something in a thread; what it raises is found in the list."""
    errors: list[MainstemError] = []

    def run() -> None:
        try:
            while work() is not None:
                pass
        except MainstemError as exc:
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, errors


def test_a_server_that_forgets_its_streams_ends_both_ends_as_a_lost_connection() -> None:
    with nats() as server, NatsLink(address(server.url), "i") as link, NatsHub(link, "r", MIB) as hub:
        lane = hub.lane(0)
        lane.publish(Abort(Chunk(TABLE, 1)))
        assert lane.receive() is not None
        reader, errors = errors_of(lane.receive)
        server.kill()
        server.start()
        reader.join(60)
        assert [type(error) for error in errors] == [LostConnectionError]
        with pytest.raises(LostConnectionError):
            lane.publish(Abort(Chunk(TABLE, 2)))


def handed_out(link: NatsLink, hub: NatsHub, count: int) -> None:
    """Wait until the server has handed out so many messages of lane 0 without an acknowledgement."""
    deadline = time.monotonic() + 30
    while link.call(link.js.consumer_info(hub.stream, "0")).num_ack_pending < count:
        assert time.monotonic() < deadline


def test_what_was_on_its_way_to_a_receiver_when_its_connection_broke_comes_again(
    link: NatsLink, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_ACK_WAIT_S", 3600.0)  # the server by itself would wait so long
    with (
        Proxy(nats_server.port) as proxy,
        NatsLink(address(f"nats://127.0.0.1:{proxy.port}"), link.installation) as far,
        NatsHub(link, "cut", MIB) as hub,
    ):
        sending, lane = SendingLane(link, hub.place(0)), ReceivingLane(far, hub.place(0))
        sending.publish(Abort(Chunk(TABLE, 0)))
        assert lane.receive() is not None
        proxy.silent = True
        for number in range(1, 6):
            sending.publish(Abort(Chunk(TABLE, number)))
        handed_out(link, hub, 5)
        proxy.reset()
        proxy.silent = False
        got = [lane.receive() for _ in range(5)]
        lane.release()
    assert [one and one.frame for one in got] == [Abort(Chunk(TABLE, number)) for number in range(1, 6)]


def test_a_server_that_keeps_its_streams_on_disk_goes_on_where_it_was() -> None:
    with nats() as server, NatsLink(address(f"{server.url}?storage=file"), "i") as link, NatsHub(link, "r", MIB) as hub:
        lane, count = hub.lane(0), 300
        numbers: list[int] = []

        def receive() -> object:
            delivery = lane.receive()
            if delivery is not None and isinstance(delivery.frame, Abort):
                numbers.append(delivery.frame.chunk.number)
            return delivery

        reader, errors = errors_of(receive)
        for number in range(count):
            if number == count // 2:
                server.stop()
                server.start()
            lane.publish(Abort(Chunk(TABLE, number)))
        lane.close()
        reader.join(60)
    assert errors == []
    assert numbers == list(range(count))


def test_a_cluster_loses_any_one_server_and_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "SILENCE_S", 60.0)  # a busy machine's cluster takes its time to choose a leader
    with nats_cluster() as members:
        urls = ",".join(member.url.removeprefix("nats://") for member in members)
        with NatsLink(address(f"nats://{urls}?replicas=3"), "i") as link, NatsHub(link, "r", 4 * MIB) as hub:
            lane, count = hub.lane(0), 60
            sizes: list[int] = []

            def receive() -> object:
                delivery = lane.receive()
                if delivery is not None and isinstance(delivery.frame, RawBatch):
                    sizes.append(delivery.frame.count)
                return delivery

            reader, errors = errors_of(receive)
            leader = link.call(link.js.stream_info(hub.stream)).cluster
            assert leader is not None
            for number in range(count):
                if number == count // 2:
                    next(one for one in members if one.config["server_name"] == leader.leader).kill()
                lane.publish(RawBatch(TABLE, bytes(MIB // 4), number))
            lane.close()
            reader.join(90)
    assert errors == []
    assert sizes == list(range(count))


def test_what_passed_and_what_waits_is_counted() -> None:
    with nats() as server, NatsLink(address(f"{server.url}?compression=lz4"), "i") as link:
        with NatsHubs(link, "r")(4 * MIB) as hub:
            lane = hub.lane(0)
            for _ in range(2):
                lane.publish(RawBatch(TABLE, bytes(MIB // 2), 1))
            assert lane.receive() is not None
            deadline = time.monotonic() + 30
            while (found := link.measured()).waiting_messages != 1:
                assert time.monotonic() < deadline, found
        assert found.messages == 2
        (fill,) = found.fills
        assert (fill.stream_id, fill.messages, fill.bytes, fill.max_bytes) == ("r", 1, found.waiting_bytes, 4 * MIB)
        assert (fill.max_age_s, link.age("r")) == (0.0, None)
        assert found.plain_bytes > MIB > found.bytes >= found.waiting_bytes > 0
        assert link.measured().waiting_messages == 0
