"""One config in every way in which it can be said: calls of the API, a command line, a YAML file. No secret is in any.

What is said of the command line is held to it by a test, which has it read these commands.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mainstem.contract.urls import write_url
from mainstem.control.command_line import COMMANDS, flags_of
from mainstem.control.config_body import is_later
from mainstem.control.configs import Understood
from mainstem.control.connection_body import SSL_FILES
from mainstem.engine.endpoint import Endpoint
from mainstem.model.run import Mode

FILE = "stream.yaml"
CONFIGS = "/api/v1/stream-configs"
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 40
_NAMELESS = "replica"


@dataclass(frozen=True, slots=True)
class RestCall:
    """A call, and the same as a command line of curl."""

    method: str
    path: str
    body: dict[str, Any] | None
    curl: str


@dataclass(frozen=True, slots=True)
class Equivalents:
    """See `api.plan_models.Equivalents`."""

    rest: tuple[RestCall, ...]
    command: str
    needs_file: bool
    reasons: tuple[str, ...]
    variables: tuple[str, ...]
    files: tuple[str, ...]
    yaml: str


def equivalents(meant: Understood, base_url: str, config_id: str = "") -> Equivalents:
    """All ways to say a config.

    Args:
        base_url: the server's, without a slash at the end.
        config_id: of the saved config that this one would replace, or empty.
    """
    options = meant.definition.options
    flags = flags_of(options)
    source, target = (_end(role, end) for role, end in _ends(meant))
    words = ["mainstem", COMMANDS[options.mode], source.url, target.url]
    if options.mode is Mode.CDC:
        words += ["--id", stream_name(meant.body)]
    file_words = ["mainstem", "run", FILE]
    return Equivalents(
        rest=tuple(_calls(meant.body, base_url, config_id)),
        command=shlex.join(file_words if flags.reasons else [*words, *flags.arguments]),
        needs_file=bool(flags.reasons),
        reasons=flags.reasons,
        variables=(*source.variables, *target.variables),
        files=(*source.files, *target.files),
        yaml=yaml.safe_dump(_file(meant, source.url, target.url), sort_keys=False, allow_unicode=True, width=100),
    )


def stream_name(body: Mapping[str, Any]) -> str:
    """What a replication can be called on a command line, by the name of its config."""
    name = _NOT_OF_A_NAME.sub("-", str(body.get("name") or "")).strip("-_")
    return name[:_LONGEST_NAME].rstrip("-_") or _NAMELESS


@dataclass(frozen=True, slots=True)
class _End:
    url: str
    variables: tuple[str, ...]
    files: tuple[str, ...]


def _ends(meant: Understood) -> Iterator[tuple[str, Endpoint]]:
    yield "source", meant.source
    yield "target", meant.target


def _end(role: str, end: Endpoint) -> _End:
    settings = end.settings
    variable = f"{role.upper()}_PASSWORD" if settings.password else ""
    files = {name: f"{role}-{name.replace('_', '-')}.pem" for name in SSL_FILES if getattr(settings.ssl, name)}
    url = write_url(settings, password=f"${{{variable}}}" if variable else "", files=files)
    return _End(url, (variable,) if variable else (), tuple(files.values()))


def _calls(body: dict[str, Any], base_url: str, config_id: str) -> Iterator[RestCall]:
    if config_id:
        yield _call(base_url, "PUT", f"{CONFIGS}/{config_id}", body)
    else:
        yield _call(base_url, "POST", CONFIGS, body)
    yield _call(base_url, "POST", f"{CONFIGS}/{config_id or '{id}'}/start", None)


def _call(base_url: str, method: str, path: str, body: dict[str, Any] | None) -> RestCall:
    lines = [f"curl -X {method} {shlex.quote(base_url + path)}", '-H "X-API-Key: $MAINSTEM_API_KEY"']
    if body is not None:
        text = json.dumps(body, indent=2, ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(text)}"]
    return RestCall(method, path, body, " \\\n  ".join(lines))


def _file(meant: Understood, source: str, target: str) -> dict[str, Any]:
    """The body as ``mainstem run`` reads it: URLs in place of connections, which carry the place too."""
    body = dict(meant.body)
    if meant.definition.options.mode is Mode.CDC:
        body["name"] = stream_name(body)
    if not is_later(body):
        return {**body, "source": source, "target": target}
    connection = {
        name: value
        for name, value in body["source"]["connections"][0].items()
        if name not in ("connectionId", "database", "schema")
    }
    inner = {name: value for name, value in body["source"].items() if name != "connections"}
    body["source"] = {"url": source, **inner, "connections": [connection]}
    body["target"] = {"url": target, **{name: value for name, value in body["target"].items() if name != "id"}}
    return body
