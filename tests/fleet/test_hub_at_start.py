"""A server that is given a hub which cannot be used: it says what is wrong and how it is mended, and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys
import pytest

from mainstem.cli.main import main
from mainstem.errors import LostConnectionError
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.testing.nats import NatsServer, nats
from mainstem.testing.servers import free_port
from tests.fleet.accounts import Key, Operator

SECRET = "geheim"
INVALID, UNREACHABLE = 2, 3


@dataclass
class Place:
    """Where a test makes its servers and files."""

    folder: Path
    stack: ExitStack

    def nats(self, config: dict[str, Any] | None = None, *, jetstream: bool = True) -> NatsServer:
        return self.stack.enter_context(nats(config, jetstream=jetstream))

    def seed(self) -> Path:
        """The file of an nkey."""
        path = self.folder / "user.nk"
        path.write_bytes(Key(nkeys.PREFIX_BYTE_USER).seed)
        return path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def unreachable(place: Place) -> str:
    return f"nats://127.0.0.1:{free_port()}"


def without_jetstream(place: Place) -> str:
    return place.nats(jetstream=False).url


def wrong_password(place: Place) -> str:
    server = place.nats({"authorization": {"user": "u", "password": "richtig"}})
    return server.url.replace("nats://", f"nats://u:{SECRET}@")


def wrong_nkey(place: Place) -> str:
    known = nkeys.from_seed(bytearray(Key(nkeys.PREFIX_BYTE_USER).seed)).public_key.decode()
    return f"{place.nats({'authorization': {'users': [{'nkey': known}]}}).url}?nkey={place.seed()}"


def wrong_credentials(place: Place) -> str:
    """A user of an account that the operator has not let in."""
    operator = Operator()
    credentials = operator.user(place.folder, signed_by=Key(nkeys.PREFIX_BYTE_ACCOUNT))
    return f"{place.nats(operator.config()).url}?credentials={credentials}"


def no_credentials(place: Place) -> str:
    return f"{place.nats().url}?credentials={place.folder / 'missing.creds'}"


def tiny_messages(place: Place) -> str:
    return place.nats({"max_payload": 1024}).url


def of_another_installation(place: Place) -> str:
    url = f"{place.nats().url}?namespace=shared"
    address = read_address(url)
    assert address is not None
    place.stack.enter_context(NatsLink(address, "another"))
    return url


@pytest.mark.parametrize(
    ("hub", "code", "told", "remedy"),
    [
        (unreachable, UNREACHABLE, "cannot be reached", "start it, or correct MAINSTEM_HUB"),
        (without_jetstream, INVALID, "offers no JetStream", "nats-server -js"),
        (wrong_password, UNREACHABLE, "refused the login", "check the user, password"),
        (wrong_nkey, UNREACHABLE, "refused the login", "nkey in MAINSTEM_HUB"),
        (wrong_credentials, UNREACHABLE, "refused the login", "credentials or nkey in MAINSTEM_HUB"),
        (no_credentials, INVALID, "credentials names a file that is not there", "docs/hub.md"),
        (tiny_messages, INVALID, "max_payload", "max_payload"),
        (of_another_installation, INVALID, "belongs to another installation", "namespace=NAME"),
    ],
)
def test_a_server_says_what_is_wrong_with_its_hub_and_ends(
    hub: Callable[[Place], str], code: int, told: str, remedy: str, place: Place,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MAINSTEM_HUB", hub(place))
    assert main(["serve", "--port", "0", "--home", str(place.folder / "home")]) == code
    said = " ".join(capfd.readouterr().err.split())
    assert told in said
    assert remedy in said
    assert SECRET not in said


def test_a_login_by_a_credentials_file_is_used(place: Place) -> None:
    operator = Operator()
    server = place.nats(operator.config())
    address = read_address(f"{server.url}?credentials={operator.user(place.folder)}")
    assert address is not None
    with NatsLink(address, "i") as link:
        assert link.measured().waiting_messages == 0


def test_a_nats_without_room_for_the_streams_of_a_run_is_told_with_both_ways_out(place: Place) -> None:
    server = place.nats({"jetstream": {"max_memory_store": 1024 * 1024}})
    address = read_address(server.url)
    assert address is not None
    with (
        NatsLink(address, "i") as link,
        pytest.raises(LostConnectionError, match=r"insufficient memory .*max_memory_store.*max_bytes"),
    ):
        NatsHub(link, "r", 64 * 1024 * 1024)
