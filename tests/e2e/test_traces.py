"""What a run tells a collector of traces: its parts, each where it belongs, and nothing of what is in the rows."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from mainstem import tracing
from mainstem.api.traced import Traced
from mainstem.bootstrap.hubs import hubs
from mainstem.bootstrap.traces import STANDARD, VARIABLE, traces
from mainstem.errors import InvalidError, NotFoundError
from mainstem.hub.address import read_address
from mainstem.hub.calls import caller_of
from mainstem.hub.callserver import CallServer, Offer
from mainstem.hub.link import NatsLink
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.testing.nats import nats
from mainstem.testing.servers import free_port
from mainstem.tracing import otel
from tests.apart import Apart
from tests.e2e.collector import Collector, collector
from tests.e2e.routes import End, Route
from tests.e2e.streams import cdc, following, wait_until

CELL, KEY = "a-planted-cell-71c5", 7_130_513


@pytest.fixture(autouse=True)
def no_standard_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, *STANDARD):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def told() -> Iterator[Collector]:
    with collector() as found:
        yield found


@pytest.mark.parametrize("hub", ["memory", "nats", "another process reads"])
def test_the_way_of_rows_and_changes_is_told_across_the_hub(
    hub: str, told: Collector, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> None:
    source, target = (
        End(replace(mariadb_server, database="traced")),
        End(
            replace(
                postgres18_server,
                database="traced",
            )
        ),
    )
    source.recreate(mariadb_server)
    target.recreate(postgres18_server)
    source.run(
        "CREATE TABLE things (id INT PRIMARY KEY, name VARCHAR(40))", f"INSERT INTO things VALUES ({KEY}, '{CELL}')"
    )
    with (
        nats() as server,
        hubs(server.url if hub == "nats" else "", "traced") as of,
        traces(told.url, roles="all"),
        ExitStack() as stack,
    ):
        route, stream_id = Route(source, target), new_id(STREAM)
        if hub == "another process reads":
            apart = Apart(server.url, source.endpoint, target.endpoint, cdc(), stack)
            apart.start_reader("reader")
            route = Route(End(source.settings), End(target.settings))
            route.source.endpoint, route.target.endpoint = apart.leading(stream_id)
        stream = stack.enter_context(following(route, cdc(), hubs=of))
        stream.stream_id = stream_id
        stack.enter_context(stream.running())
        source.run(f"INSERT INTO things VALUES (1, '{CELL}')")
        stream.wait_equal()
    (run,) = told.named("replicate")
    (first_round,) = told.named("copy round")
    (read,), (load,) = told.named("read chunk"), told.named("load chunk")
    assert (first_round.parent, read.parent, load.parent) == (run.id, first_round.id, read.id)
    assert {span.trace for span in (first_round, read, load)} == {run.trace}
    assert load.values == {
        "mainstem.table": "traced.things",
        "mainstem.chunk": 0,
        "mainstem.attempt": 1,
        "mainstem.rows": 1,
    }
    (sent,), (applied,) = told.named("send changes"), told.named("apply changes")
    assert sent.trace == applied.trace != run.trace
    assert (applied.parent, sent.links[0] != "") == (sent.id, True)
    assert (sent.values["mainstem.rows"], applied.values["mainstem.rows"]) == (1, 1)
    assert run.values["mainstem.stream"] == stream.stream_id
    assert (run.resource["service.name"], run.resource["mainstem.roles"]) == ("mainstem", "all")
    assert CELL.encode() not in told.raw
    assert str(KEY).encode() not in told.raw


class Echo:
    def say(self, text: str) -> str:
        """Say it back, within whatever trace there is."""
        with tracing.span("echo"):
            return text


def test_a_call_to_another_process_goes_on_with_its_callers_trace(told: Collector) -> None:
    with nats() as server:
        address = read_address(server.url)
        assert address is not None
        with NatsLink(address, "i") as near, NatsLink(address, "i") as far, CallServer(far, "m") as desk:
            desk.offer("echo", Offer(Echo, lambda opening: nullcontext(Echo())))
            with traces(told.url), caller_of(near).open("m", "echo", "stream_a", 1) as session:
                assert session.ask(Echo.say, CELL) == CELL
                with tracing.span("ask"):
                    assert session.ask(Echo.say, CELL) == CELL
    (ask,), (served,) = told.named("ask"), told.named("echo.say")
    untraced, traced = told.named("echo")
    assert (served.parent, traced.parent, untraced.parent) == (ask.id, served.id, "")
    assert CELL.encode() not in told.raw


def test_a_request_is_named_by_its_route_and_goes_on_with_its_callers_trace(told: Collector) -> None:
    app = FastAPI()

    @app.get("/things/{name}")
    def thing(name: str) -> str:
        with tracing.span("look"):
            return name

    app.add_middleware(Traced)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            asked = client.get(f"/things/{CELL}?key={KEY}", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
            return [(await answer).status_code for answer in (asked, client.get("/nowhere"), client.get("/health"))]

    with traces(told.url):
        assert asyncio.run(ask()) == [200, 404, 404]
    (request,), (inner,), (lost,) = told.named("GET /things/{name}"), told.named("look"), told.named("GET")
    assert (request.trace, request.parent, inner.parent) == ("ab" * 16, "cd" * 8, request.id)
    assert request.values == {
        "http.request.method": "GET", "http.response.status_code": 200, "http.route": "/things/{name}"
    }  # fmt: skip
    assert (lost.values["http.response.status_code"], lost.failed) == (404, False)
    assert len(told.spans) == 3
    assert CELL.encode() not in told.raw


def test_an_error_is_told_by_its_code_alone(told: Collector) -> None:
    with traces(told.url), pytest.raises(NotFoundError), tracing.span("look"):
        raise NotFoundError(f"there is no {CELL}")
    (look,) = told.named("look")
    assert (look.failed, look.values) == (True, {"error.type": "not_found"})
    assert CELL.encode() not in told.raw


def test_without_a_collector_work_goes_on_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "EXPORT_S", 1)
    with traces(f"http://127.0.0.1:{free_port()}"):
        for _ in range(1200):  # more than two batches
            with tracing.span("look") as span:
                assert span.carrier
        wait_until(lambda: bool(warnings(caplog)))
    assert not tracing.is_on()
    assert warnings(caplog) == ["mainstem.tracing.otel"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.name for record in caplog.records if record.levelname == "WARNING"]


def test_opentelemetrys_own_variables_turn_traces_on_and_ours_turns_them_off(
    told: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traces(None):
        assert not tracing.is_on()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", told.url)
    with traces(None), tracing.span("look"):
        pass
    assert len(told.named("look")) == 1
    with traces("off"):
        assert not tracing.is_on()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with traces(None):
        assert not tracing.is_on()


@pytest.mark.parametrize("setting", ["collector", "grpc://collector:4317", "http://"])
def test_what_is_no_address_is_refused(setting: str) -> None:
    with pytest.raises(InvalidError, match="no address of a collector") as told, traces(setting):
        pass
    assert VARIABLE in told.value.fields


def test_a_process_that_does_not_trace_loads_nothing_of_it() -> None:
    code = (
        "import sys, mainstem.bootstrap.server, mainstem.engine.replication\n"
        "from mainstem import tracing\n"
        "with tracing.span('look') as span: assert span is tracing.NOTHING\n"
        "assert not any(name.startswith('opentelemetry.sdk') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, VARIABLE: ""})
