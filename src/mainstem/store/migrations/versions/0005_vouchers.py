"""What is good once on any server of a store; and numbers of log lines that never come again on SQLite."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vouchers",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
    _rewrite_logs(by_themselves=True)


def downgrade() -> None:
    op.drop_table("vouchers")
    _rewrite_logs(by_themselves=False)


def _rewrite_logs(*, by_themselves: bool) -> None:
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(
            "stream_logs", recreate="always", table_kwargs={"sqlite_autoincrement": by_themselves}
        ):
            pass
