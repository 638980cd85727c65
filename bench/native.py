"""Measures the compiled path alone: MySQL row packets → Arrow buffers → COPY text, for rows like a product list's.

    python bench/native.py --rows 2000000

Prints rows per second and MB per second of either half, by CPU time of the process; the best of the repeats counts.
"""

from __future__ import annotations

import argparse
import random
import time

from mainstem.contract.source import BatchLimits
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import Op
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

OPS = (Op.RAW, Op.TEXT, Op.RAW, Op.RAW, Op.DATE)
DISTINCT_ROWS = 100_000


def product(number: int, chance: random.Random, text_bytes: int) -> list[bytes]:
    """bigint, name, decimal, double, timestamp."""
    name = bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz ", k=text_bytes))
    price = b"%d.%02d" % (chance.randrange(1000), chance.randrange(100))
    day = b"2024-%02d-%02d %02d:30:00" % (chance.randint(1, 12), chance.randint(1, 28), chance.randrange(24))
    return [b"%d" % (1_000_000 + number), name, price, repr(chance.random() * 100).encode(), day]


def packets(rows: int, text_bytes: int) -> bytes:
    """A result set's row packets and its end; the same rows again and again beyond a number."""
    chance = random.Random(1)
    distinct = []
    for number in range(min(rows, DISTINCT_ROWS)):
        payload = b"".join(bytes([len(cell)]) + cell for cell in product(number, chance, text_bytes))
        distinct.append(len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload)
    whole, rest = divmod(rows, len(distinct))
    return b"".join(distinct) * whole + b"".join(distinct[:rest]) + b"\x05\x00\x00\x00\xfe\x00\x00\x02\x00"


def measure(wire: bytes, limits: BatchLimits) -> tuple[float, float, int]:
    """CPU seconds of decoding and of encoding, batch after batch as a migration does, and the payload's bytes."""
    decoder = RowDecoder(len(OPS))
    encoder = CopyTextEncoder(OPS, [0] * len(OPS), "error", "error")
    decoding = encoding = 0.0
    at = size = 0
    status = Status.FULL
    while status is Status.FULL:
        start = time.process_time()
        status, consumed = decoder.feed(wire, at, len(wire), limits.max_rows, limits.max_bytes)
        rows, columns = decoder.take()
        middle = time.process_time()
        payload, refused = encoder.encode(columns, 0, 0, rows)
        encoding += time.process_time() - middle
        decoding += middle - start
        at += consumed
        size += len(payload)
        if refused:
            raise SystemExit("a row of the benchmark was refused")
    return decoding, encoding, size


def report(what: str, seconds: float, rows: int, size: int) -> None:
    print(f"{what:8} {seconds:7.3f} s {rows / seconds / 1e6:8.2f} M rows/s {size / seconds / 1e6:8.0f} MB/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--text-bytes", type=int, default=12, choices=range(251), metavar="0..250")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    wire = packets(given.rows, given.text_bytes)
    timings = [measure(wire, BatchLimits()) for _ in range(given.repeats)]
    report("decode", min(decoding for decoding, _, _ in timings), given.rows, len(wire))
    report("encode", min(encoding for _, encoding, _ in timings), given.rows, timings[0][2])


if __name__ == "__main__":
    main()
