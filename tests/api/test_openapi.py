"""The running server against its own description: requests made up from it get answers that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port
from tests.api.conftest import KEY, Server, body
from tests.api.drive import fill, make, run

NOWHERE = ConnectionSettings("mysql", "127.0.0.1", 1, "u", "p", "d")
# Live events do not end, and /connections/test calls the host that it is told: none of them takes made-up requests.
LEFT_OUT = [
    "/api/v1/logs/stream",
    "/api/v1/streams/{stream_id}/events",
    "/api/v1/connections/test",
    "/api/v1/connections/test/databases",
    "/api/v1/connections/test/create",
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module alone, since made-up requests delete what they find."""
    running = Server(tmp_path_factory.mktemp("home"), free_port())
    running.start()
    yield running
    running.end()


@pytest.fixture(scope="module")
def schema(described: Server) -> Any:
    """The description, with ids of a config that is there in place of every other made-up one."""
    with described.client() as api:
        config = make(api, NOWHERE, replace(NOWHERE, type="postgresql"))
    found = schemathesis.openapi.from_url(f"http://127.0.0.1:{described.port}/openapi.json")
    found = found.exclude(path=LEFT_OUT)

    @found.hook
    def map_path_parameters(_context: Any, path_parameters: Any) -> Any:
        if path_parameters and "config_id" in path_parameters and len(path_parameters["config_id"]) % 2:
            return {**path_parameters, "config_id": config}
        return path_parameters

    return found


OF_CDC = ("/dead-letters", "/schema-changes")  # of streams of another mode than the one that is there
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.mark.parametrize("mode", GenerationMode)
def test_answers_to_made_up_requests_are_as_described(schema: Any, mode: GenerationMode) -> None:
    """Requests that follow the description, and requests that break it somewhere."""
    wrong = []
    for result in schema.get_all_operations():
        operation = result.ok()
        wrong += [f"{operation.method.upper()} {operation.path}: {told}" for told in _wrong(operation, mode)]
    assert not wrong, "\n\n".join(wrong)


def _wrong(operation: Any, mode: GenerationMode) -> list[str]:
    """What one operation answers otherwise than it says; empty when all is well."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.headers = {**(case.headers or {}), "X-API-Key": KEY}
        case.validate_response(case.call(timeout=60), checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:  # nothing about it can be broken
        return []
    except (Exception, ExceptionGroup) as exc:
        return [str(exc)]
    return []


def test_every_operation_and_answer_is_described(described: Server) -> None:
    """No route that only the code knows, none without a summary, none that answers "anything"."""
    document = httpx.get(f"http://127.0.0.1:{described.port}/openapi.json", timeout=60).json()
    assert document["components"]["securitySchemes"]["APIKeyHeader"]["name"] == "X-API-Key"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert "401" in operation["responses"] or path.endswith(("/health", "/ready", "/status", "/defaults")), path
            for name in {part[1:-1] for part in path.split("/") if part.startswith("{")}:
                assert name in {item["name"] for item in operation["parameters"]}, (method, path, name)


def test_answers_with_data_are_as_described(
    described: Server, schema: Any, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    """The same checks on answers that are not empty: a connection, a config, and a stream that has ended."""
    fill(mysql_db, 50)
    with described.client() as api:
        stats = run(api, mysql_db, postgres_db, rowErrors={"policy": "quarantine"})
        stream = api.get(f"/streams/{stats['id']}").json()
        ids = {"config_id": stream["configId"], "stream_id": stats["id"], "connection_id": stream["source"]}
        ids |= {"database": mysql_db.database, "table": "products"}
        needed = {
            "/compare": {"left": stats["id"], "right": stats["id"]},
            "/tables/columns": {"table": "products"},
            "/definition": {"kind": "table", "name": "products"},
            "/cell": {"column": "name", "key": '{"id": 7}'},
        }
    looked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        elsewhere = "{run_id}" in operation.path or "{export_id}" in operation.path
        if operation.method.lower() != "get" or elsewhere or operation.path.endswith(OF_CDC):
            continue
        known = {name: ids[name] for name in ids if f"{{{name}}}" in operation.path}
        asked = next((given for end, given in needed.items() if operation.path.endswith(end)), {})
        case = operation.Case(path_parameters=known, query=asked)
        response = case.call(headers={"X-API-Key": KEY}, timeout=60)
        assert response.status_code == 200, (operation.path, response.text)
        case.validate_response(response, checks=CHECKS)
        looked += 1
    assert looked >= 20


def test_the_docs_page_loads_nothing_from_elsewhere(described: Server) -> None:
    page = httpx.get(f"http://127.0.0.1:{described.port}/docs")
    assert page.status_code == 200
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text


def test_unsaved_connections_are_tested_without_being_saved(described: Server) -> None:
    with described.client() as api:
        before = api.get("/connections").json()
        answer = api.post("/connections/test", json=body(NOWHERE)).json()
        assert (answer["ping"], answer["code"]) == ("failed", "refused")
        assert api.get("/connections").json() == before
