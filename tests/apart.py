"""A run whose leader and readers are apart: in one process, each with a connection of its own to NATS."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from mainstem.engine.endpoint import Endpoint
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.remote.loading import remote_target
from mainstem.hub.remote.serving import Serving
from mainstem.hub.remote.source import remote_source
from mainstem.model.run import RunOptions

MIB = 1024 * 1024


@dataclass
class Apart:
    """A leader and processes that read for it.

    Attributes:
        source, target: as they are; the leader itself does not reach the source.
    """

    url: str
    source: Endpoint
    target: Endpoint
    options: RunOptions
    stack: ExitStack
    installation: str = field(default_factory=lambda: f"apart{secrets.token_hex(4)}")
    readers: dict[str, Serving] = field(default_factory=dict)
    links: dict[str, NatsLink] = field(default_factory=dict)

    def link(self, name: str) -> NatsLink:
        """A process's connection."""
        if name not in self.links:
            address = read_address(self.url)
            assert address is not None
            self.links[name] = self.stack.enter_context(NatsLink(address, self.installation))
        return self.links[name]

    def start_reader(self, name: str) -> Serving:
        """A process that reads."""
        serving = Serving(self.link(name), name, lambda _: (self.source, self.target, self.options))
        self.readers[name] = self.stack.enter_context(serving)
        return serving

    def lose(self, name: str) -> None:
        """The process is gone at once."""
        del self.readers[name]
        link = self.links.pop(name)
        link.call(link.client.close())

    def leading(self, stream_id: str, token: int = 1) -> tuple[Endpoint, Endpoint]:
        """Source and target as the leader has them."""
        link, source, target = self.link(f"leader-{token}"), self.source, self.target
        hidden = replace(source.settings, password="unknown here", port=1)
        from_there = remote_source(source.spec, link, stream_id, token, lambda: list(self.readers), MIB)
        into = remote_target(target.spec, link, stream_id, token, list)
        return Endpoint(from_there, hidden), Endpoint(into, target.settings)


@contextmanager
def apart(
    url: str, source: Endpoint, target: Endpoint, options: RunOptions | None = None, *names: str
) -> Iterator[Apart]:
    """Leader and readers, of these names or one."""
    with ExitStack() as stack:
        made = Apart(url, source, target, options or RunOptions(), stack)
        for name in names or ("reader-1",):
            made.start_reader(name)
        yield made
