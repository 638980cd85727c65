"""``make bench``: every benchmark, one after the other; each is a command by itself too (``python -m bench.bulk``)."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

ALL = (
    ("MariaDB → PostgreSQL", "bench.bulk", "--pgloader"),
    ("PostgreSQL → PostgreSQL", "bench.clone"),
    ("into MariaDB", "bench.tomysql"),
    ("300 tables", "bench.many"),
    ("10,000 tables", "bench.many", "--tables", "10000", "--rows", "100000", "--runs", "1", "--no-pgloader"),
    ("rows of 100 MiB", "bench.big"),
    ("changes into PostgreSQL", "bench.apply"),
    ("reading a binary log", "bench.decode_binlog"),
    ("changes", "bench.changes"),
    ("PostgreSQL's log alone", "bench.decode_pg"),
    ("the monitor in a browser", "bench.web"),
)


def main() -> int:
    """The command: 0 when all of them ended well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only those with this in their title or module")
    given = parser.parse_args()
    ended = []
    for title, module, *options in ALL:
        if given.only not in f"{title} {module}":
            continue
        print(f"\n## {title}: python -m {' '.join([module, *options])}", flush=True)
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", module, *options], check=False)
        ended.append((title, done.returncode, time.perf_counter() - begin))
    print()
    for title, code, seconds in ended:
        print(f"{title:24} {'well' if code == 0 else f'ended with {code}'}, after {seconds:.0f} s")
    return 1 if any(code for _, code, _ in ended) else 0


if __name__ == "__main__":
    sys.exit(main())
