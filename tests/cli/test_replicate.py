from __future__ import annotations

import pytest

from tests.cli.conftest import mainstem

ENDS = ("mysql://u@127.0.0.1:1/a", "postgresql://u@127.0.0.1:1/b")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--id", "a b"), "--id"),
        (("--position", "0/1", "--snapshot", "always"), "contradicts --position"),
        (("--schema-policy", "drop_and_recreate", "--snapshot", "auto"), "needs --snapshot always"),
        (("--alert-url", "ftp://h/"), "must be a URL"),
        (("--alert-url", "http://u:p@h/"), "must not hold a login"),
        (("--forget",), "needs the --id"),
        (("--operation", "upsert"), "upsert"),
        (("--rename", "x"), "--rename"),
        (("--table-operations", "t=insert,upsert"), "'upsert' is none of"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(arguments: tuple[str, ...], told: str) -> None:
    done = mainstem("replicate", *ENDS, *arguments)
    assert done.code == 2
    assert told in done.err
