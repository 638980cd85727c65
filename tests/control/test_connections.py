from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mainstem.control.connections import Connections
from mainstem.errors import ConflictError, InvalidError, NotFoundError
from mainstem.model.connection import SslMode
from mainstem.model.run import RunState
from mainstem.store.sql import SqlStore
from tests.control.conftest import PASSWORD, flat
from tests.store.test_store_sql import STREAM


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(ca: trustme.CA) -> dict[str, str]:
    issued = ca.issue_cert("client@example.org")
    return {
        "ca": b64(ca.cert_pem.bytes()),
        "client_cert": b64(issued.cert_chain_pems[0].bytes()),
        "client_key": b64(issued.private_key_pem.bytes()),
    }


def test_a_connection_is_saved_with_its_password_sealed(connections: Connections, store: SqlStore) -> None:
    record = connections.create(flat())
    assert record.id.startswith("conn_")
    assert len(record.id) == len("conn_") + 27
    assert (record.type, record.host, record.port, record.database) == ("mysql", "db.example", 3306, "shop")
    assert connections.settings(record).password == PASSWORD
    assert PASSWORD not in str(record.secrets)
    assert store.connections() == [record]


def test_the_nested_shape_is_stored_as_the_flat_one(connections: Connections) -> None:
    database = flat()
    name, kind = database.pop("name"), database.pop("type")
    nested = connections.create({"name": name, "type": kind, "spec": {"database": database}})
    plain = connections.create(flat())
    assert replace(nested, id="", created_us=0, secrets={}) == replace(plain, id="", created_us=0, secrets={})
    assert connections.settings(nested) == connections.settings(plain)


@pytest.mark.parametrize(
    ("sent", "stored", "flavor"),
    [
        ("MySQL", "mysql", ""),
        ("mariadb", "mysql", "mariadb"),
        ("PostgreSQL", "postgresql", ""),
        ("postgres", "postgresql", ""),
        ("pg", "postgresql", ""),
        (" POSTGRESQL ", "postgresql", ""),
    ],
)
def test_types_are_folded(connections: Connections, sent: str, stored: str, flavor: str) -> None:
    record = connections.create(flat(type=sent))
    assert (record.type, record.flavor) == (stored, flavor)


def test_driver_is_another_word_for_type(connections: Connections) -> None:
    assert connections.create(flat(type=..., driver="mysql")).type == "mysql"


@pytest.mark.parametrize(("kind", "port", "schema"), [("mysql", 3306, ""), ("postgresql", 5432, "public")])
def test_port_and_schema_have_a_default_by_type(connections: Connections, kind: str, port: int, schema: str) -> None:
    record = connections.create(flat(type=kind, port=...))
    assert (record.port, record.schema) == (port, schema)


@pytest.mark.parametrize("port", ["3307", 3307, 3307.0, " 3307 "])
def test_a_port_may_be_text(connections: Connections, port: Any) -> None:
    assert connections.create(flat(port=port)).port == 3307


@pytest.mark.parametrize("port", [0, 65536, -1, "abc", True, 3.5, "", [], "99999999999999"])
def test_a_port_outside_its_range_is_named(connections: Connections, port: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        connections.create(flat(port=port))
    assert caught.value.fields == {"port": "must be a whole number from 1 to 65535"}


def test_every_wrong_field_is_named_at_once(connections: Connections, store: SqlStore) -> None:
    body = {"type": "oracle", "host": "", "port": 70000, "password": 5, "ssl": {"mode": "maybe", "ca": "%%%"}}
    with pytest.raises(InvalidError) as caught:
        connections.create(body)
    assert list(caught.value.fields) == ["name", "type", "host", "port", "username", "password", "ssl.mode", "ssl.ca"]
    assert "mysql" in caught.value.fields["type"]
    assert store.connections() == []


def test_files_of_tls_that_cannot_be_used_are_named_together_with_other_wrong_fields(connections: Connections) -> None:
    def base64_of(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    authority = trustme.CA()
    one, other = authority.issue_cert("one"), authority.issue_cert("other")
    ssl = {
        "ca": base64_of(b"no certificate"),
        "client_cert": base64_of(one.cert_chain_pems[0].bytes()),
        "client_key": base64_of(other.private_key_pem.bytes()),
    }
    with pytest.raises(InvalidError) as caught:
        connections.create(flat(port=0, ssl=ssl))
    assert caught.value.fields == {
        "port": "must be a whole number from 1 to 65535",
        "ssl.ca": "is not a certificate in PEM form",
        "ssl.client_key": "does not belong to the client certificate",
    }


def test_wrong_fields_of_the_nested_shape_are_named_as_they_were_sent(connections: Connections) -> None:
    with pytest.raises(InvalidError) as caught:
        connections.create({"name": "x", "type": "mysql", "spec": {"database": {"port": "x", "ssl": {"ca": "?"}}}})
    assert list(caught.value.fields) == [
        "spec.database.host", "spec.database.port", "spec.database.username", "spec.database.ssl.ca",
    ]  # fmt: skip


@pytest.mark.parametrize("spec", [{"s3": {"region": "x"}}, {}, "database", {"database": 5}])
def test_other_kinds_of_spec_are_refused(connections: Connections, spec: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        connections.create({"name": "x", "type": "mysql", "spec": spec})
    assert list(caught.value.fields) == ["spec"]


@pytest.mark.parametrize("host", ["a b", "http://x", "a@b", "x\ny", "h,i", "a" * 300])
def test_a_host_must_look_like_one(connections: Connections, host: str) -> None:
    with pytest.raises(InvalidError) as caught:
        connections.create(flat(host=host))
    assert list(caught.value.fields) == ["host"]


@pytest.mark.parametrize("host", ["localhost", "10.0.0.1", "::1", "db-1.example.org", "a_b", "/run/mysqld/mysqld.sock"])
def test_hosts_of_every_kind_are_taken(connections: Connections, host: str) -> None:
    assert connections.create(flat(host=host)).host == host


def test_names_need_not_be_unique(connections: Connections) -> None:
    assert connections.create(flat()).id != connections.create(flat()).id


class TestUpdate:
    @pytest.mark.parametrize("password", [..., "", None, "****", "********", "••••••••"])
    def test_no_password_keeps_the_stored_one(self, connections: Connections, password: Any) -> None:
        record = connections.create(flat())
        body = {"name": "renamed", "host": "other"}
        changed = connections.update(record.id, body if password is ... else {**body, "password": password})
        assert (changed.name, changed.host, changed.port) == ("renamed", "other", 3306)
        assert connections.settings(changed).password == PASSWORD

    def test_a_new_password_replaces_the_stored_one(self, connections: Connections) -> None:
        record = connections.create(flat())
        assert connections.settings(connections.update(record.id, {"password": "new"})).password == "new"

    def test_an_answer_can_be_sent_back_whole(self, connections: Connections, client: dict[str, str]) -> None:
        record = connections.create(flat(ssl={"mode": "verify-full", **client}))
        echoed = {
            "id": "conn_other", "created": 1, "databasesInfo": [], "name": record.name, "type": record.type,
            "host": record.host, "port": record.port, "username": record.username, "database": record.database,
            "schema": record.schema, "ssl": {"mode": record.ssl_mode},
        }  # fmt: skip
        changed = connections.update(record.id, echoed)
        assert connections.settings(changed) == connections.settings(record)
        assert (changed.id, changed.created_us) == (record.id, record.created_us)

    def test_another_type_takes_its_own_default_port_along(self, connections: Connections) -> None:
        record = connections.create(flat())
        changed = connections.update(record.id, {"type": "postgresql"})
        assert (changed.port, changed.schema) == (5432, "public")
        kept = connections.update(connections.create(flat(port=3307)).id, {"type": "postgresql"})
        assert kept.port == 3307

    def test_a_wrong_field_changes_nothing(self, connections: Connections) -> None:
        record = connections.create(flat())
        with pytest.raises(InvalidError):
            connections.update(record.id, {"name": "new", "port": 0})
        assert connections.get(record.id) == record


class TestSsl:
    def test_files_are_kept_sealed_and_come_back_for_the_connector(
        self, connections: Connections, client: dict[str, str]
    ) -> None:
        record = connections.create(flat(ssl={"mode": "verify-ca", **client}))
        ssl = connections.settings(record).ssl
        assert ssl.mode is SslMode.VERIFY_CA
        assert ssl.ca == base64.b64decode(client["ca"])
        assert ssl.client_key == base64.b64decode(client["client_key"])
        assert client["client_key"] not in str(record.secrets)

    def test_disable_is_another_word_for_disabled(self, connections: Connections) -> None:
        assert connections.create(flat(ssl={"mode": "disable"})).ssl_mode == "disabled"

    def test_the_tail_of_a_data_url_may_have_its_head(self, connections: Connections, client: dict[str, str]) -> None:
        body = flat(ssl={"mode": "verify-ca", "ca": f"data:application/x-pem-file;base64,{client['ca']}"})
        assert connections.settings(connections.create(body)).ssl.ca == base64.b64decode(client["ca"])

    @pytest.mark.parametrize(
        ("member", "value", "problem"),
        [
            ("ca", "not base64!", "is not base64"),
            ("ca", b64(b"no certificate"), "PEM"),
            ("ca", 5, "base64"),
            ("client_cert", b64(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "PEM"),
            ("client_key", b64(b"no key"), "PEM"),
            ("ca", b64(b"x" * (1024 * 1024 + 1)), "at most 1 MB"),
            ("ca", "A" * (4 * 1024 * 1024), "at most 1 MB"),
            ("mode", "sometimes", "verify-full"),
        ],
    )
    def test_what_is_no_certificate_is_named(
        self, connections: Connections, member: str, value: Any, problem: str
    ) -> None:
        with pytest.raises(InvalidError) as caught:
            connections.create(flat(ssl={"mode": "require", member: value}))
        assert list(caught.value.fields) == [f"ssl.{member}"]
        assert problem in caught.value.fields[f"ssl.{member}"]

    def test_a_key_with_a_passphrase_is_refused(self, connections: Connections) -> None:
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        with pytest.raises(InvalidError, match="passphrase"):
            connections.create(flat(ssl={"client_key": b64(key)}))

    def test_certificate_and_key_go_together(
        self, connections: Connections, ca: trustme.CA, client: dict[str, str]
    ) -> None:
        with pytest.raises(InvalidError) as missing:
            connections.create(flat(ssl={"client_cert": client["client_cert"]}))
        assert list(missing.value.fields) == ["ssl.client_key"]
        other = b64(ca.issue_cert("other@example.org").private_key_pem.bytes())
        with pytest.raises(InvalidError) as foreign:
            connections.create(flat(ssl={"client_cert": client["client_cert"], "client_key": other}))
        assert list(foreign.value.fields) == ["ssl.client_key"]

    def test_absent_and_empty_files_stay_and_null_takes_them_away(
        self, connections: Connections, client: dict[str, str]
    ) -> None:
        record = connections.create(flat(ssl={"mode": "verify-ca", **client}))
        kept = connections.update(record.id, {"ssl": {"mode": "require", "ca": ""}})
        assert kept.ssl_mode == "require"
        assert connections.settings(kept).ssl.ca == base64.b64decode(client["ca"])
        without = connections.update(record.id, {"ssl": {"ca": None}})
        assert connections.settings(without).ssl.ca == b""
        assert connections.settings(without).ssl.client_cert != b""
        assert (
            "ssl.client_key"
            not in connections.update(record.id, {"ssl": {"client_cert": None, "client_key": None}}).secrets
        )


def test_a_clone_has_the_secrets_and_a_name_and_id_of_its_own(connections: Connections, client: dict[str, str]) -> None:
    record = connections.create(flat(ssl={"mode": "verify-full", **client}))
    clone = connections.clone(record.id)
    assert clone.id != record.id
    assert clone.name == "mysql-source copy"
    assert connections.settings(clone) == replace(connections.settings(record), name=clone.name)
    connections.delete(record.id)
    assert connections.settings(clone).password == PASSWORD


@pytest.mark.parametrize("wrong", ["conn_id", "", "x" * 200, "a b", "\0", "conn_'; --"])
def test_an_unknown_id_is_not_found(connections: Connections, wrong: str) -> None:
    for call in (connections.get, connections.clone, connections.delete):
        with pytest.raises(NotFoundError):
            call(wrong)
    with pytest.raises(NotFoundError):
        connections.update(wrong, {})


def test_a_connection_is_deleted_once(connections: Connections) -> None:
    record = connections.create(flat())
    connections.delete(record.id)
    with pytest.raises(NotFoundError):
        connections.delete(record.id)


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PAUSED])
def test_a_connection_that_a_stream_uses_stays(connections: Connections, store: SqlStore, state: RunState) -> None:
    record, other = connections.create(flat()), connections.create(flat())
    store.add_stream(replace(STREAM, source_id=record.id, target_id=other.id, state=state))
    for connection_id in (record.id, other.id):
        with pytest.raises(ConflictError, match="stream_1"):
            connections.delete(connection_id)
    with pytest.raises(ConflictError):
        connections.delete_all()
    assert len(connections.all()) == 2


def test_all_connections_can_be_deleted(connections: Connections, store: SqlStore) -> None:
    record = connections.create(flat())
    store.add_stream(replace(STREAM, source_id=record.id, state=RunState.FINISHED))
    assert connections.delete_all() == 1
    assert connections.all() == []


def test_a_key_that_does_not_fit_the_stored_certificate_is_refused(
    connections: Connections, client: dict[str, str]
) -> None:
    other = trustme.CA().issue_cert("other").private_key_pem.bytes()
    record = connections.create(flat(ssl={"mode": "require", **client}))
    with pytest.raises(InvalidError) as caught:
        connections.update(record.id, {"ssl": {"client_key": base64.b64encode(other).decode()}})
    assert list(caught.value.fields) == ["ssl.client_key"]
    assert connections.get(record.id) == record
