"""One connection to NATS for a whole process: its client lives in an event loop of its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors

from mainstem.contract.hub import HubAge, HubFill, HubTraffic
from mainstem.errors import ConnectError, ConnectReason, InvalidError, LostConnectionError, MainstemError
from mainstem.hub.address import NatsAddress
from mainstem.hub.filling import fills
from mainstem.log import logger

CONNECT_S = 8.0
CALL_S = 15.0
MIN_PAYLOAD = 64 * 1024
PENDING_BYTES = 16 * 1024 * 1024
"""What the client keeps to be sent while it connects anew."""
_RESOURCES = {10023, 10027, 10028, 10047}  # insufficient resources, most streams, memory, storage
_NO_ROOM = "give NATS more (max_memory_store, max_file_store), or take less: nats://…?max_bytes=BYTES"
_log = logger(__name__)
_T = TypeVar("_T")
INSTALLATION = "mainstem_installation"
"""The key in a stream's metadata that says whose it is."""


class NatsLink:
    """A connection, and the JetStream of it.

    Args:
        installation: of this installation; streams of another one are never touched.
    """

    def __init__(self, address: NatsAddress, installation: str) -> None:
        self.address, self.installation = address, installation
        self.namespace = address.namespace or installation
        self.traffic = HubTraffic()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="nats", daemon=True)
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._met: Exception | None = None  # before the connection was there for the first time
        self._connected_s = float("inf")
        self.reconnected: set[Callable[[], Awaitable[None]]] = set()
        """Called in the loop's thread when the connection is there again: what was on the server may be gone."""
        self.hubs: set[str] = set()
        """The streams of this process's hubs, which are not what an earlier start left behind."""
        self.attached: dict[str, object] = {}
        """What is made once for a connection, and lives as long, by a name of its own."""

    @property
    def client(self) -> Client:
        """The client, once open."""
        if self._client is None:
            raise LostConnectionError("the hub is not connected")
        return self._client

    @property
    def js(self) -> JetStreamContext:
        """JetStream, once open."""
        if self._js is None:
            raise LostConnectionError("the hub is not connected")
        return self._js

    @property
    def max_payload(self) -> int:
        """Bytes that a message may have by the server's settings."""
        return int(self.client.max_payload)

    @property
    def steady_s(self) -> float:
        """For how many seconds the connection has lasted; 0 while there is none."""
        if self._client is None or not self._client.is_connected:
            return 0.0
        return max(0.0, time.monotonic() - self._connected_s)

    def open(self) -> NatsLink:
        """Connect, and see that the server can do what a hub needs.

        Raises:
            ConnectError: it cannot be reached, or refuses the login.
            InvalidError: it has no JetStream, takes only tiny messages, or the namespace is of another installation.
        """
        self._thread.start()
        try:
            self.call(self._connect(), CONNECT_S)
            self.call(self._check())
        except BaseException:
            self.close()
            raise
        return self

    def measured(self) -> HubTraffic:
        """What passed so far, and what waits now; that is 0 when NATS does not answer."""
        found: tuple[HubFill, ...] = ()
        with contextlib.suppress(MainstemError):
            found = self._fills()
        return replace(
            self.traffic,
            waiting_messages=sum(fill.messages for fill in found),
            waiting_bytes=sum(fill.bytes for fill in found),
            fills=found,
        )

    def age(self, run_id: str) -> HubAge | None:
        """Of what waits in the hubs of a run. None if it may wait for ever, or NATS does not answer."""
        max_age_s = self.address.max_age_s
        if max_age_s is None:
            return None
        with contextlib.suppress(MainstemError):
            of_run = [fill.oldest_s for fill in self._fills() if fill.stream_id == run_id.replace(".", "_")]
            return HubAge(max(of_run, default=0.0), max_age_s)
        return None

    def _fills(self) -> tuple[HubFill, ...]:
        return self.call(fills(self.client, stream_name(self.namespace, "run_")), 3.0)

    def close(self) -> None:
        """Disconnect and end the thread; also when it never opened."""
        if self._thread.is_alive():
            with contextlib.suppress(MainstemError):
                self.call(self._disconnect(), 5.0)
            with contextlib.suppress(FutureTimeoutError):
                asyncio.run_coroutine_threadsafe(self._end_tasks(), self.loop).result(5.0)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(5)
        if not self.loop.is_running():
            self.loop.close()

    def __enter__(self) -> NatsLink:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, work: Coroutine[Any, Any, _T], timeout_s: float = CALL_S) -> _T:
        """Run in the loop's thread and wait. What NATS says is raised as `translated`."""
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout_s), self.loop)
        try:
            return future.result()
        except MainstemError:
            raise
        except Exception as exc:
            raise translated(exc, self.address) from exc

    async def settle(self) -> None:
        """Until the server knows of all that was asked of it, as subscriptions. In the loop's thread.

        Twice, as nats-py writes the PING of its ``flush`` past commands that wait for their turn: they are written by
        the time that the first one is answered.
        """
        await self.client.flush()
        await self.client.flush()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _connect(self) -> None:
        """Connect, or raise what the last try met: the client by itself tries for ever."""
        trying = asyncio.create_task(self._try_to_connect())
        try:
            while not trying.done():
                await asyncio.wait({trying}, timeout=0.05)
                if self._met is not None and self._is_final(self._met):
                    raise self._met
            self._client = trying.result()
        except asyncio.CancelledError:
            raise self._met or TimeoutError() from None
        finally:
            trying.cancel()
        self._js = self._client.jetstream(timeout=5)
        self._connected_s = time.monotonic()

    def _is_final(self, error: Exception) -> bool:
        """Not so is a connection that was reset: the server closes one whose login it refuses, and where the client
        was still sending by then, the reason is lost (RFC 1122, 4.2.2.13). One of the next tries hears it."""
        return not isinstance(error, ConnectionResetError | BrokenPipeError) and isinstance(
            translated(error, self.address), ConnectError
        )

    async def _try_to_connect(self) -> Client:
        address = self.address
        return await nats.connect(
            servers=list(address.servers),
            name="mainstem",
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            connect_timeout=3,
            ping_interval=5,
            pending_size=PENDING_BYTES,
            error_cb=self._told,
            reconnected_cb=self._connected_again,
            tls=_tls(address),
            user=address.user or None,
            password=address.password or None,
            token=address.token or None,
            user_credentials=str(address.credentials) if address.credentials else None,
            nkeys_seed=str(address.nkey) if address.nkey else None,
        )

    async def _told(self, error: Exception) -> None:
        if self._client is None:
            self._met = error
            return
        _log.warning("the hub's connection", error=f"{type(error).__name__}: {error}", server=str(self.address))

    async def _connected_again(self) -> None:
        self._connected_s = time.monotonic()
        _log.info("the hub is connected again", server=str(self.address))
        await asyncio.gather(*(check() for check in list(self.reconnected)))

    async def _disconnect(self) -> None:
        if self._client is not None and not self._client.is_closed:
            await self._client.close()

    async def _end_tasks(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _check(self) -> None:
        await self.js.account_info()
        if self.max_payload < MIN_PAYLOAD:
            raise InvalidError(
                f"NATS at {self.address} takes messages of {self.max_payload:,} bytes only",
                fields={"hub": f"max_payload is less than {MIN_PAYLOAD:,} bytes"},
                remedy="set max_payload in the server's configuration to 1MB or more",
            )
        if self.address.namespace:
            await self._claim()

    async def _claim(self) -> None:
        """Mark the namespace as ours, by a stream that holds nothing, unless it is another's."""
        name = stream_name(self.namespace, "installation")
        config = api.StreamConfig(
            name=name,
            subjects=[f"mainstem.{self.namespace}.installation"],
            storage=api.StorageType.FILE,
            num_replicas=self.address.replicas,
            max_msgs=1,
            metadata={INSTALLATION: self.installation},
        )
        try:
            info = await self.js.stream_info(name)
        except js_errors.NotFoundError:
            info = await self.js.add_stream(config)
        owner = (info.config.metadata or {}).get(INSTALLATION)
        if owner != self.installation:
            raise InvalidError(
                f"the namespace {self.namespace} on NATS at {self.address} belongs to another installation of Mainstem",
                fields={"hub": "the namespace is taken"},
                remedy="give this installation another one: nats://…?namespace=NAME",
            )


def stream_name(namespace: str, rest: str) -> str:
    """The name of a stream of ours, which JetStream wants to be without dots."""
    return f"MAINSTEM_{namespace}_{rest.replace('.', '_')}"


def _tls(address: NatsAddress) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    context = ssl.create_default_context(cafile=str(address.ca) if address.ca else None)
    if address.cert and address.key:
        context.load_cert_chain(address.cert, address.key)
    return context


def translated(error: BaseException, address: NatsAddress) -> MainstemError:
    """An error of NATS or its client in our words."""
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    at = f"NATS at {address}"
    if isinstance(error, nats.errors.AuthorizationError | nats.errors.InvalidUserCredentialsError) or (
        "authorization" in text.lower() or "permissions violation" in text.lower()
    ):
        return ConnectError(
            f"{at} refused the login",
            reason=ConnectReason.LOGIN,
            remedy="check the user, password, credentials or nkey in MAINSTEM_HUB",
        )
    if isinstance(
        error, js_errors.ServiceUnavailableError | js_errors.NoStreamResponseError | nats.errors.NoRespondersError
    ):
        return InvalidError(
            f"{at} offers no JetStream now",
            fields={"hub": "JetStream is off, or its cluster has no leader"},
            remedy="start the server with JetStream (nats-server -js), and see that most of a cluster's servers run",
        )
    if isinstance(error, ssl.SSLError) or "ssl" in text.lower() or "certificate" in text.lower():
        return ConnectError(
            f"{at}: TLS failed: {text}", reason=ConnectReason.TLS, remedy="check ca, cert and key in MAINSTEM_HUB"
        )
    if isinstance(error, nats.errors.TimeoutError):
        return LostConnectionError(f"{at} does not answer in time; a cluster may be choosing its leader")
    if isinstance(error, js_errors.APIError):
        return LostConnectionError(
            f"{at} refused: {error.description or text}", remedy=_NO_ROOM if error.err_code in _RESOURCES else ""
        )
    if isinstance(
        error, nats.errors.NoServersError | OSError | asyncio.TimeoutError | nats.errors.ConnectionClosedError
    ):
        return ConnectError(
            f"{at} cannot be reached: {text}", reason=ConnectReason.REFUSED, remedy="start it, or correct MAINSTEM_HUB"
        )
    return LostConnectionError(f"{at}: {text}")
