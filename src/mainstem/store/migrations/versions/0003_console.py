"""What users run in the SQL console, and whether a connection lets them change data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("read_only", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "queries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("connection_id", "connection_name", "database", "query", "status", "error")
        ),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("queries")
    op.drop_column("connections", "read_only")
