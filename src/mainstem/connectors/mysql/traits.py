"""What a MySQL or MariaDB server that is written to can do, by its flavour and version. Pure.

Sources: MySQL manual, "Supported Character Sets and Collations", "CHECK Constraints", "Functional Key Parts", "Data
Type Default Values"; MariaDB documentation, "Supported Character Sets and Collations", "UUID", "INET4", "CREATE
SEQUENCE".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]

MAX_KEY_BYTES = 3072  # of one InnoDB index, with pages of 16 KB and row format DYNAMIC
MAX_PAGE_BYTES = 7_900  # of a row, with pages of 16 KB, less what InnoDB adds
MAX_ROW_BYTES = 65_535  # of all columns but TEXT and BLOB
BYTES_PER_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Traits:
    """A server.

    Attributes:
        folds_tables: table names are kept, or compared, in lower case (``lower_case_table_names``).
        collations: names that it knows; empty when nobody has asked, and then all are taken to be known.
    """

    mariadb: bool = True
    version: Version = (10, 11, 0)
    folds_tables: bool = False
    collations: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """For messages."""
        return "MariaDB" if self.mariadb else "MySQL"

    def since(self, *, mariadb: Version | None, mysql: Version | None) -> bool:
        """Whether the server has what came with these versions; None is never."""
        wanted = mariadb if self.mariadb else mysql
        return wanted is not None and self.version >= wanted

    def knows(self, collation: str) -> bool:
        """Whether the server knows a collation."""
        return not self.collations or collation in self.collations

    @property
    def exact_collation(self) -> str:
        """Text compares by its code points, and spaces at the end count: what PostgreSQL's equality does."""
        if self.mariadb:
            return "utf8mb4_nopad_bin"
        return "utf8mb4_0900_bin" if self.version >= (8, 0, 17) else "utf8mb4_bin"

    @property
    def pads(self) -> bool:
        """Whether the exact collation disregards spaces at the end all the same."""
        return self.exact_collation == "utf8mb4_bin"

    @property
    def uuid(self) -> bool:
        """A type for UUIDs."""
        return self.since(mariadb=(10, 7, 0), mysql=None)

    @property
    def inet6(self) -> bool:
        """A type for IPv6 addresses."""
        return self.since(mariadb=(10, 5, 0), mysql=None)

    @property
    def inet4(self) -> bool:
        """A type for IPv4 addresses."""
        return self.since(mariadb=(10, 10, 0), mysql=None)

    @property
    def native_json(self) -> bool:
        """JSON is kept parsed: of equal keys the last stays, and numbers past a double's digits are rounded."""
        return not self.mariadb

    @property
    def sequences(self) -> bool:
        """Sequences."""
        return self.since(mariadb=(10, 3, 0), mysql=None)

    @property
    def functional_indexes(self) -> bool:
        """Indexes on expressions."""
        return self.since(mariadb=None, mysql=(8, 0, 13))

    @property
    def expression_defaults(self) -> bool:
        """Defaults that are expressions."""
        return self.since(mariadb=(10, 2, 1), mysql=(8, 0, 13))

    @property
    def text_defaults(self) -> bool:
        """Literal defaults of TEXT, BLOB and JSON columns; MySQL takes them as expressions only."""
        return self.mariadb

    @property
    def checks(self) -> bool:
        """Check constraints that are enforced."""
        return self.since(mariadb=(10, 2, 1), mysql=(8, 0, 16))


def traits_of(version: str, *, lower_case_table_names: int = 0, collations: frozenset[str] = frozenset()) -> Traits:
    """The traits by the server's version text (``10.11.6-MariaDB``, ``8.4.3``)."""
    numbers = [int(part) for part in re.findall(r"\d+", version)[:3]] + [0, 0, 0]
    return Traits(
        mariadb="mariadb" in version.lower(),
        version=(numbers[0], numbers[1], numbers[2]),
        folds_tables=lower_case_table_names != 0,
        collations=collations,
    )
