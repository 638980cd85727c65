"""Views: which can come along, in which order, and their queries on the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainstem.contract.dialect import Dialect, Rendered, TargetDialect
from mainstem.ddl.layout import Layout
from mainstem.model.names import TableId
from mainstem.model.schema import View


def create_views(
    views: Sequence[View],
    layouts: Mapping[TableId, Layout],
    names: Mapping[TableId, TableId],
    source: Dialect,
    target: TargetDialect,
    *,
    whole: bool,
) -> Rendered:
    """The views that use nothing but what is copied, each after those that it uses itself."""
    return Rendered()
