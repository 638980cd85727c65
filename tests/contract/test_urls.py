from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mainstem.contract.registry import Registry
from mainstem.contract.urls import parse_url, read_url, write_url
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

REGISTRY = Registry.installed()
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def parse(text: str) -> ConnectionSettings:
    return parse_url(text, REGISTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql://root:pw@db:3307/shop", ConnectionSettings("mysql", "db", 3307, "root", "pw", "shop")),
        ("mysql://root@db", ConnectionSettings("mysql", "db", 3306, "root")),
        ("mysql://root@db/", ConnectionSettings("mysql", "db", 3306, "root")),
        ("mariadb://root:@db/shop", ConnectionSettings("mysql", "db", 3306, "root", "", "shop")),
        ("MySQL://root@DB/Shop", ConnectionSettings("mysql", "DB", 3306, "root", "", "Shop")),
        ("postgres://me:pw@db/shop", ConnectionSettings("postgresql", "db", 5432, "me", "pw", "shop", "public")),
        ("postgresql://me@[::1]:5433/x", ConnectionSettings("postgresql", "::1", 5433, "me", "", "x", "public")),
        ("postgresql://me@[fd00::2]/x", ConnectionSettings("postgresql", "fd00::2", 5432, "me", "", "x", "public")),
        ("pg://me@%2Fvar%2Frun/x", ConnectionSettings("postgresql", "/var/run", 5432, "me", "", "x", "public")),
        ("postgresql://me@h/x?schema=a%20b", ConnectionSettings("postgresql", "h", 5432, "me", "", "x", "a b")),
        ("postgresql://me@h/x?currentSchema=s", ConnectionSettings("postgresql", "h", 5432, "me", "", "x", "s")),
        ("mysql://a@b:p@ss@h/x", ConnectionSettings("mysql", "h", 3306, "a@b", "p@ss", "x")),
        ("mysql://r:a+b%2B@h/x", ConnectionSettings("mysql", "h", 3306, "r", "a+b+", "x")),
        (" mysql://r@h/x\n", ConnectionSettings("mysql", "h", 3306, "r", "", "x")),
    ],
)  # fmt: skip
def test_a_url_is_read_part_by_part(text: str, expected: ConnectionSettings) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", SslMode.DISABLED),
        ("?sslmode=disable", SslMode.DISABLED),
        ("?sslmode=require", SslMode.REQUIRE),
        ("?sslmode=verify-ca", SslMode.VERIFY_CA),
        ("?sslmode=verify-full", SslMode.VERIFY_FULL),
        ("?ssl-mode=VERIFY_IDENTITY", SslMode.VERIFY_FULL),
        ("?ssl-mode=REQUIRED", SslMode.REQUIRE),
        ("?tls=true", SslMode.VERIFY_FULL),
        ("?tls=skip-verify", SslMode.REQUIRE),
        ("?tls=false", SslMode.DISABLED),
        ("?sslrootcert=system", SslMode.VERIFY_FULL),
    ],
)
def test_each_spelling_of_a_tls_mode_is_known(query: str, mode: SslMode) -> None:
    assert parse(f"postgresql://me@h/x{query}").ssl.mode is mode


def test_certificates_are_read_from_the_files_that_the_url_names(tmp_path: Path) -> None:
    ca = trustme.CA()
    pair = ca.issue_cert("client")
    ca.cert_pem.write_to_path(tmp_path / "the ca.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    pair.private_key_pem.write_to_path(tmp_path / "client.key")
    folder = quote(str(tmp_path), safe="")
    ssl = parse(
        f"mysql://r@h/x?ssl-ca={folder}%2Fthe%20ca.pem&ssl-cert={folder}%2Fclient.pem&ssl-key={folder}%2Fclient.key"
    ).ssl
    assert ssl.mode is SslMode.VERIFY_FULL
    assert ssl.ca == ca.cert_pem.bytes()
    assert ssl.client_cert == pair.cert_chain_pems[0].bytes()
    assert ssl.client_key == pair.private_key_pem.bytes()


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nothing")
    with pytest.raises(InvalidError) as caught:
        parse(f"postgresql://me@h/x?sslrootcert={tmp_path / 'x'}")
    assert "PEM" in caught.value.fields["sslrootcert"]


def test_connect_timeout_is_in_seconds() -> None:
    assert parse("mysql://r@h/x?connect_timeout=17").connect_timeout_s == 17


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "url"),
        ("nonsense", "url"),
        ("mysql:/r@h/x", "url"),
        ("mysql://r:se/cret@h/x", "url"),
        ("mysql://r:secret@h/x#y", "url"),
        ("oracle://r:secret@h/x", "type"),
        ("mysql://h/x", "username"),
        ("mysql://:secret@h/x", "username"),
        ("mysql://r:secret@/x", "host"),
        ("mysql://r:secret@a,b/x", "host"),
        ("mysql://r:secret@[1.2.3.4]/x", "host"),
        ("mysql://r:secret@h:0/x", "port"),
        ("mysql://r:secret@h:65536/x", "port"),
        ("mysql://r:secret@h:1x/x", "port"),
        ("mysql://r:secret@h:٣/x", "port"),
        ("mysql://r:secret@h/x/y", "database"),
        ("mysql://r:secret%zz@h/x", "password"),
        ("mysql://r:secret%ff@h/x", "password"),
        ("mysql://r:secret%00@h/x", "password"),
        ("mysql://r:secret@h/x?schema=s", "schema"),
        ("mysql://r:secret@h/x?colour=red", "colour"),
        ("mysql://r:secret@h/x?sslmode=maybe", "sslmode"),
        ("mysql://r:secret@h/x?sslmode=prefer", "sslmode"),
        ("mysql://r:secret@h/x?tls=preferred", "tls"),
        ("mysql://r:secret@h/x?sslmode=require&tls=true", "tls"),
        ("mysql://r:secret@h/x?sslrootcert=/nowhere/ca.pem", "sslrootcert"),
        ("mysql://r:secret@h/x?connect_timeout=0", "connect_timeout"),
        ("mysql://r:secret@h/x?connect_timeout=soon", "connect_timeout"),
    ],
)
def test_a_wrong_url_names_the_part_and_not_the_password(text: str, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(text)
    assert list(caught.value.fields) == [part]
    assert caught.value.remedy
    assert "cret" not in str(caught.value)


@given(username=TEXTS.filter(bool), password=TEXTS, database=TEXTS)
def test_any_name_and_password_survive_percent_encoding(username: str, password: str, database: str) -> None:
    user, word, name = (quote(text, safe="") for text in (username, password, database))
    settings = parse(f"mysql://{user}:{word}@h/{name}")
    assert (settings.username, settings.password, settings.database) == (username, password, database)


@given(st.text())
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with suppress(InvalidError):
        assert parse(f"mysql://{text}").host


@given(TEXTS.filter(str.strip), TEXTS, st.sampled_from([*SslMode]), st.integers(1, 65535))
def test_what_is_written_is_read_back(name: str, database: str, mode: SslMode, port: int) -> None:
    settings = ConnectionSettings("postgresql", "db", port, name, "p", database, name, SslSettings(mode))
    assert parse(write_url(settings, password="p")) == settings


@pytest.mark.parametrize("host", ["::1", "db.example", "/var/run/mysqld.sock"])
def test_a_host_of_any_form_is_read_back(host: str) -> None:
    settings = ConnectionSettings("mysql", host, 3306, "u")
    assert parse(write_url(settings)) == settings


def test_a_url_that_is_only_read_names_files_and_opens_none() -> None:
    parts = read_url("jdbc:postgresql://h/d?user=me&password=a%20b&sslrootcert=/no/such/file", REGISTRY)
    assert parts.files == {"ca": "/no/such/file"}
    assert (parts.settings.username, parts.settings.password) == ("me", "a b")
    assert parts.settings.ssl == SslSettings(SslMode.VERIFY_FULL)
