"""What a preflight says of tables that the login cannot read, the same for every system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainstem.contract.inspector import Denial, Finding
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import DeniedPolicy, RunOptions

_REMEDIES = 10


def denial_findings(denials: Mapping[TableId, Denial], options: RunOptions) -> Iterator[Finding]:
    """A finding for each kind of denial: an error, or a warning where such tables are to be left out."""
    skips = options.denied is DeniedPolicy.SKIP
    for check in dict.fromkeys(denial.check for denial in denials.values()):
        found = {table: denial for table, denial in denials.items() if denial.check == check}
        first = next(iter(found.values()))
        what = "not copied, as they cannot be read whole" if skips else "cannot be read whole"
        yield Finding(
            check,
            Severity.WARNING if skips else Severity.ERROR,
            f"{what}: {listed(list(found))}; {first.reason}",
            "; ".join(dict.fromkeys(denial.remedy for denial in list(found.values())[:_REMEDIES])),
        )
