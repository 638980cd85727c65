"""A fleet of processes that is killed, frozen, cut off and restarted while it replicates; ends with a comparison.

    python -m tools.fleet [--minutes 10] [--seed N] [--route mysql-postgresql] [--cluster] [--whole]
    python -m tools.fleet --matrix [--only TEXT]
    python -m tools.fleet --copy ROWS

An API server, two readers and two writers, each a process of its own, with NATS between them and PostgreSQL as their
store. Everything random comes from the seed, which is printed: the transactions at the source, and what is done to
whom. The target's bank is looked at all the time, and the longest time without a commit is measured at each fault.
``--cluster`` runs three servers of NATS, and loses any of them; ``--whole`` has three servers of all roles instead.
``--matrix`` kills whichever process comes first to each failpoint of the product; ``--copy`` kills one of each kind
while a copy is under way.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.fleet.copying import run_copies
from tools.fleet.faults import CLUSTER, ONE_NATS
from tools.fleet.matrix import run_matrix
from tools.fleet.report import page
from tools.fleet.run import Record, Route, exercise, strike_at_random
from tools.fleet.stage import SPLIT, WHOLE, Stage, stage
from tools.fleet.watch import Counts
from tools.twins import ROUTES, twins
from tools.workload import MYSQL, POSTGRES

from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

Databases = dict[str, ConnectionSettings]


@contextmanager
def databases() -> Iterator[tuple[Databases, Databases]]:
    """Servers to replicate from and to, by their kind."""
    with (
        servers.mariadb() as mysql,
        servers.postgres(servers.system_postgres_bin()) as older,
        servers.postgres() as newer,
    ):
        yield (
            {MYSQL: mysql.settings, POSTGRES: older.settings},
            {MYSQL: mysql.settings, POSTGRES: newer.settings},
        )


def main() -> int:
    """The command: 0 when all was equal and taken over in time."""
    given = _parser().parse_args()
    routes = [route for route in ROUTES if given.route in "-".join(route)]
    with ExitStack() as stack:
        folder = given.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True, parents=True)
        folder.chmod(0o711)  # the store's server is another user's
        here, there = stack.enter_context(databases())
        found = stack.enter_context(
            stage(folder, cluster=3 if given.cluster else 1, layout=WHOLE if given.whole else SPLIT)
        )
        if given.matrix:
            return run_matrix(found, routes, here, there, given.only, given.page)
        if given.copy:
            return run_copies(found, routes, here, there, given.copy)
        print(f"python -m tools.fleet --minutes {given.minutes:g} --seed {given.seed}"
              f"{' --cluster' if given.cluster else ''}{' --whole' if given.whole else ''}", flush=True)  # fmt: skip
        counts = stack.enter_context(Counts(found))
        done = []
        for route in routes:
            seconds = given.minutes * 60 / len(routes)
            done.append(_one(found, route, (here, there), f"{given.seed}", seconds, folder, cluster=given.cluster))
            if done[-1].wrong:
                break
        time.sleep(1.5)  # for the last counts
        text = page(done, counts.total, found.fleet)
    print(text)
    return 1 if any(route.wrong or any(record.late for record in route.records) for route in done) else 0


def _one(
    found: Stage, route: tuple[str, str], servers_of: tuple[Databases, Databases], seed: str, seconds: float,
    folder: Path, *, cluster: bool,
) -> Route:  # fmt: skip
    name = "-".join(route)
    print(name, flush=True)
    with (
        twins(servers_of[0][route[0]], servers_of[1][route[1]]) as ends,
        exercise(found, ends, f"{seed}/{name}", folder, name) as one,
    ):
        done = strike_at_random(one, CLUSTER if cluster else ONE_NATS, seconds, tell)
    print(f"  {done.rows:,} rows, {done.looks:,} looks at the bank: {done.wrong or 'equal'}", flush=True)
    return done


def tell(record: Record) -> None:
    """A line for people."""
    over = "another leads" * record.taken_over + f"  LATE (load {record.load:.0f})" * record.late
    print(f"  {record.at_s:6.0f} s  {record.fault:30} {record.what:45} {record.still_s:6.2f} s  {over}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="in all; shared by the routes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--route", default="", metavar="SOURCE-TARGET", help="one of the four; all are the default")
    parser.add_argument("--cluster", action="store_true", help="three servers of NATS")
    parser.add_argument("--whole", action="store_true", help="three servers with all roles, instead of one role each")
    parser.add_argument("--matrix", action="store_true", help="every failpoint, instead of faults at random")
    parser.add_argument("--copy", type=int, default=0, metavar="ROWS", help="a copy of so many rows instead")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="of the matrix: cases with one of these (with commas) in their name"
    )
    parser.add_argument("--page", type=Path, help="of the matrix: write it there")
    parser.add_argument("--logs", type=Path, help="keep the processes' logs and the list of faults there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
