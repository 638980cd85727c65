"""Throughput and lag of streams over time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stream_timelines", sa.Column("id", sa.Text, primary_key=True), sa.Column("data", sa.JSON, nullable=False)
    )


def downgrade() -> None:
    op.drop_table("stream_timelines")
