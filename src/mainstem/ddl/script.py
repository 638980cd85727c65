"""A plan as a script to read."""

from __future__ import annotations

from mainstem.model.plan import MigrationPlan, Phase

_TITLES: dict[Phase, str] = {
    Phase.SCHEMA: "Schema and types",
    Phase.TABLES: "Tables and sequences",
    Phase.KEYS: "Keys, indexes and checks (after each table's rows)",
    Phase.FOREIGN_KEYS: "Foreign keys (after all rows)",
    Phase.SEQUENCES: "Counters",
    Phase.VIEWS: "Views and triggers",
    Phase.COMMENTS: "Comments",
    Phase.ANALYZE: "Statistics",
}


def render_sql(plan: MigrationPlan) -> str:
    """All DDL of a plan by phase, then its report as comments; runs as it stands in the target's own client."""
    lines = []
    for phase in Phase:
        statements = plan.phase(phase)
        if statements:
            lines.append(f"-- {_TITLES[phase]}\n")
            lines += [f"{statement.sql};\n" for statement in statements]
    if plan.report:
        lines.append("-- What changes on the way or is left out\n")
    for item in plan.report:
        text = f"{item.severity} {item.code} {item.object}: {item.message}"
        if item.remedy:
            text += f" ({item.remedy})"
        lines.append("-- " + text.replace("\n", " "))
    return "\n".join(lines)
