"""``mainstem run stream.yaml``: a stream that is written down in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mainstem.cli.convert import Job, carry_out
from mainstem.cli.endpoints import endpoint, expand
from mainstem.cli.names import checked_id
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.registry import Registry
from mainstem.control.config_body import as_sent, read_config
from mainstem.control.options import definition_of
from mainstem.engine.conversion import Endpoint
from mainstem.errors import InvalidError
from mainstem.model.run import Mode, RunOptions

_ENDS = ("source", "target")


def run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="STREAM.YAML", exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the DDL and the report; touch nothing.")] = False,
    resume: Annotated[
        str, typer.Option(metavar="RUN_ID", help="Go on with a run that was interrupted or failed.", show_default=False)
    ] = "",
    stream_id: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="NAME",
            help="Mode cdc: what the stream is called; a second start goes on. Default: the file's name member.",
            show_default=False,
        ),
    ] = "",
    preflight: Annotated[bool, typer.Option(help="Check both sides first.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the stream that a YAML file describes.

    source and target are URLs (or mappings with a member url); everything else is as in the API's stream config.
    """
    terminal = Terminal(as_json=as_json)
    described = StreamFile(file)
    source, target, options, warnings = described.resolve(Registry.installed())
    for warning in warnings:
        terminal.hint(f"{file}: {warning}", style="yellow")
    job = Job(
        source,
        target,
        options,
        arguments=ctx.obj or (),
        resume=described.run_id(options.mode, stream_id, resume),
        dry_run=dry_run,
        look_first=preflight,
        quiet=quiet,
    )
    carry_out(job, terminal)


class StreamFile:
    """A YAML file and where each of its members stands, so that an error can point at the line.

    Raises:
        InvalidError: the file isn't YAML, or not a mapping.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text = path.read_text(encoding="utf-8")
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.body: Any = yaml.safe_load(text)
        except (yaml.YAMLError, UnicodeDecodeError) as exc:
            mark = getattr(exc, "problem_mark", None)
            line = f":{mark.line + 1}" if mark is not None else ""
            raise InvalidError(f"{path}{line}: not YAML: {getattr(exc, 'problem', None) or 'not UTF-8'}") from exc
        if not isinstance(self.body, dict):
            raise self.error({"": "must be a mapping with members source and target"})

    def resolve(self, registry: Registry) -> tuple[Endpoint, Endpoint, RunOptions, tuple[str, ...]]:
        """Both systems, the options, and what was bent to fit.

        Raises:
            InvalidError: each member that is wrong or unknown, by its path in the file and its line.
        """
        source, target = (self._end(name, registry) for name in _ENDS)
        config = self._config()
        try:
            unknown = unknown_members(config, as_sent(read_config(config)))
            if unknown:
                raise self.error(dict.fromkeys(unknown, "is not known"), remedy="docs/cli.md lists the members")
            meant = definition_of(config, sql_dialect=source.spec.dialect.sql_name)
        except InvalidError as exc:
            if str(self._path) in exc.message:
                raise
            raise self.error(exc.fields or {"": exc.message}, remedy=exc.remedy) from None
        source = _placed(source, database=meant.source_database, schema=meant.source_schema)
        target = _placed(target, database=meant.target_database, schema="")
        return source, target, replace(meant.options, reporting_interval_s=0), meant.warnings

    def _end(self, name: str, registry: Registry) -> Endpoint:
        value = self.body.get(name)
        where, url = (f"{name}.url", value.get("url")) if isinstance(value, Mapping) else (name, value)
        if not isinstance(url, str):
            raise self.error({where: "must be a URL such as mysql://user@host/database, or ${NAME}"})
        try:
            return endpoint(url, registry)
        except InvalidError as exc:
            raise self.error({where: exc.message}, remedy=exc.remedy) from None

    def _config(self) -> dict[str, Any]:
        """The file as the API's stream config: without the URLs, with references replaced.

        Where one of the ends is a mapping, the config is of the nested shape, and so must the other end be.
        """
        config = {name: _expanded(value) for name, value in self.body.items() if name not in _ENDS}
        ends = {name: self.body[name] for name in _ENDS}
        if any(isinstance(value, Mapping) for value in ends.values()):
            for name, value in ends.items():
                given = dict(value) if isinstance(value, Mapping) else {}
                given.pop("url", None)
                config[name] = _expanded(given)
            config["source"].setdefault("connections", [{}])
        return {"mode": "convert"} | config

    def run_id(self, mode: Mode, given: str, resume: str) -> str:
        """What to go on with, or what a replication is called; empty for a run that is new."""
        if mode is Mode.CDC:
            return self.checked_id(given or resume)
        if given:
            raise typer.BadParameter("is for mode cdc; --resume goes on with a run", param_hint="--id")
        return resume

    def checked_id(self, given: str) -> str:
        """What a replication is called: as given, or the member ``name``; empty when there is neither."""
        name = self.body.get("name")
        if given or not isinstance(name, str):
            return checked_id(given)
        try:
            return checked_id(name)
        except typer.BadParameter as exc:
            raise self.error({"name": exc.message}, remedy="or call it otherwise with --id") from None

    def error(self, fields: Mapping[str, str], *, remedy: str = "") -> InvalidError:
        """An error about members of this file."""
        placed = {f"{self._path}:{self.line(path)}: {path or 'document'}": text for path, text in fields.items()}
        return InvalidError(f"{self._path} is not a valid stream file", fields=placed, remedy=remedy)

    def line(self, path: str) -> int:
        """The line, from 1, of a member such as ``tables[2].query``; of the nearest one that exists, else."""
        node = self._root
        line = 1
        for part in path.replace("[", ".").replace("]", "").split("."):
            found = _member(node, part)
            if found is None:
                break
            line, node = found
        return line


def unknown_members(sent: Any, known: Any, path: str = "") -> list[str]:
    """Paths of members that were sent and then not taken up; the API passes over them, in a file they are typos."""
    if isinstance(sent, Mapping) and isinstance(known, Mapping):
        return [
            found
            for name, value in sent.items()
            for found in (
                unknown_members(value, known[name], f"{path}.{name}".lstrip("."))
                if name in known
                else [f"{path}.{name}".lstrip(".")]
            )
        ]
    if isinstance(sent, list) and isinstance(known, list):
        pairs = enumerate(zip(sent, known, strict=False))
        return [found for at, (item, taken) in pairs for found in unknown_members(item, taken, f"{path}[{at}]")]
    return []


def _placed(end: Endpoint, *, database: str, schema: str) -> Endpoint:
    """The same system with another database or schema, where one is named."""
    settings = end.settings
    return replace(
        end, settings=replace(settings, database=database or settings.database, schema=schema or settings.schema)
    )


def _member(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """Line and node of a member of a mapping or of an item of a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
        item = node.value[int(name)]
        return item.start_mark.line + 1, item
    return None


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return expand(value) if value.startswith("${") and value.endswith("}") else value
    if isinstance(value, dict):
        return {name: _expanded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    return value
