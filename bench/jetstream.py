"""JetStream's own limits as Mainstem meets them: how much goes through one stream, and what many streams cost at rest.

    python -m bench.jetstream [--only TEXT] [--seconds 4] [--streams 100,1000]

Sender and receiver are processes of their own, as a reader and a writer are; NATS is on this machine, too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection

import psutil

from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.hub.receiving import ReceivingLane
from mainstem.hub.sending import SendingLane
from mainstem.model.batch import Place, RawBatch
from mainstem.model.names import TableId
from mainstem.testing.nats import NatsServer, nats

MIB = 1024 * 1024
TABLE = TableId("bench", "rows")
SIZES = (100, 1_000, 10_000, 100_000, MIB // 2, 4 * MIB)


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def opened(url: str) -> NatsLink:
    address = read_address(url)
    assert address is not None
    return NatsLink(address, "bench")


def send(url: str, place: Place, size: int, seconds: float, tell: Connection) -> None:
    """Frames of so many bytes that do not compress, for so long."""
    with opened(url) as link:
        lane = SendingLane(link, place)
        frame, count, until = RawBatch(TABLE, os.urandom(size), 1), 0, time.monotonic() + seconds
        before = cpu_s(os.getpid())
        while time.monotonic() < until:
            lane.publish(frame)
            count += 1
        lane.close()
        while link.traffic.messages and lane._under_way:  # the end is on its way
            time.sleep(0.01)
        tell.send((count, cpu_s(os.getpid()) - before, link.traffic.full))


def receive(url: str, place: Place, tell: Connection) -> None:
    with opened(url) as link:
        lane = ReceivingLane(link, place)
        tell.send(True)
        before = cpu_s(os.getpid())
        while lane.receive() is not None:
            pass
        tell.send(cpu_s(os.getpid()) - before)


def through_one_stream(server: NatsServer, options: str, seconds: float) -> None:
    """By size of a frame: what one lane carries, and what it costs each of the three."""
    assert server.process is not None
    url, spawn = f"{server.url}?{options}", multiprocessing.get_context("spawn")
    for size in SIZES:
        with opened(url) as link, NatsHub(link, f"size{size}", 32 * MIB) as hub:
            from_sender, to_sender = spawn.Pipe(duplex=False)
            from_receiver, to_receiver = spawn.Pipe(duplex=False)
            receiver = spawn.Process(target=receive, args=(url, hub.place(0), to_receiver))
            receiver.start()
            from_receiver.recv()
            before = cpu_s(server.process.pid)
            sender = spawn.Process(target=send, args=(url, hub.place(0), size, seconds, to_sender))
            sender.start()
            count, sent_s, full = from_sender.recv()
            received_s = from_receiver.recv()
            nats_s = cpu_s(server.process.pid) - before
            sender.join()
            receiver.join()
        moved = count * size / MIB
        per = 1024 / moved
        print(
            f"    frames of {size:9,} bytes: {count / seconds:7,.0f}/s = {moved / seconds:6.1f} MiB/s   CPU s per GiB:"
            f" sender {sent_s * per:5.1f}, NATS {nats_s * per:5.1f}, receiver {received_s * per:5.1f}; µs per frame:",
            *(f"{spent / count * 1e6:4.0f}" for spent in (sent_s, nats_s, received_s)),
            f"  full {full:,}",
            flush=True,
        )


def at_rest(server: NatsServer, count: int) -> None:
    """So many streams with a lane each, in which nothing happens."""
    assert server.process is not None
    nats_process, own = psutil.Process(server.process.pid), os.getpid()
    before_mib, own_before_mib = nats_process.memory_info().rss / MIB, psutil.Process().memory_info().rss / MIB
    with opened(server.url) as link, ExitStack() as stack:
        begun, spent = time.perf_counter(), cpu_s(nats_process.pid)
        for number in range(count):
            stack.enter_context(NatsHub(link, f"rest{number}", 2 * MIB)).lane(0)
        made_s, spent = time.perf_counter() - begun, cpu_s(nats_process.pid) - spent
        time.sleep(1)
        idle = cpu_s(nats_process.pid), cpu_s(own)
        time.sleep(5)
        nats_share, own_share = (cpu_s(nats_process.pid) - idle[0]) / 5, (cpu_s(own) - idle[1]) / 5
        begun = time.perf_counter()
        link.measured()
        listed_s = time.perf_counter() - begun
        memory = (nats_process.memory_info().rss / MIB - before_mib) * 1024 / count
        own_memory = (psutil.Process().memory_info().rss / MIB - own_before_mib) * 1024 / count
        begun = time.perf_counter()
    removed_s = time.perf_counter() - begun
    print(
        f"    {count:,} streams: made in {made_s / count * 1000:.1f} ms each ({spent / count * 1000:.1f} ms of CPU in"
        f" NATS), removed in {removed_s / count * 1000:.1f} ms; each takes at rest in NATS {memory:.0f} KiB and"
        f" {nats_share / count * 1e6:.0f} µs of CPU a second, in us {own_memory:.0f} KiB and"
        f" {own_share / count * 1e6:.0f} µs; all listed in {listed_s * 1000:.0f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="only parts with this in their title")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--streams", default="100,1000")
    given = parser.parse_args()
    counts = [int(count) for count in given.streams.split(",")]
    parts: dict[str, Callable[[NatsServer], object]] = {
        **{
            f"through one stream, in {where}": partial(through_one_stream, options=options, seconds=given.seconds)
            for where, options in (("memory", "compression=none"), ("a file", "compression=none&storage=file"))
        },
        **{f"{count:,} streams at rest": partial(at_rest, count=count) for count in counts},
    }
    for title, part in parts.items():
        if given.only in title:
            print(title, flush=True)
            with nats({"jetstream": {"max_memory_store": 32 * 1024 * MIB}}) as server:
                part(server)


if __name__ == "__main__":
    main()
