"""The first tables. Written out, not taken from `store.tables`: a version must not change when the tables do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, unique=unique)


def _time(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Text, primary_key=True)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def upgrade() -> None:
    op.create_table(
        "connections",
        _id(),
        _time("created_us"),
        *(_text(name) for name in ("name", "type", "flavor", "host")),
        sa.Column("port", sa.Integer, nullable=False),
        *(_text(name) for name in ("username", "database", "schema", "ssl_mode")),
        _json("secrets"),
    )
    op.create_table(
        "stream_configs",
        _id(),
        _time("created_us"),
        *(_text(name) for name in ("name", "mode", "source_id", "target_id")),
        _json("body"),
    )
    op.create_table(
        "streams",
        _id(),
        _time("created_us"),
        *(_text(name) for name in ("config_id", "config_name", "mode", "source_id", "target_id")),
        _json("body"),
        _text("state"),
        _json("progress"),
        *(_text(name) for name in ("error", "error_code", "remedy", "message")),
        _time("started_us"),
        _time("finished_us"),
    )
    op.create_index("ix_streams_config_id", "streams", ["config_id"])
    op.create_index("ix_streams_state", "streams", ["state"])
    op.create_table(
        "stream_logs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        _text("stream_id"),
        _time("at_us"),
        *(_text(name) for name in ("level", "category", "part", "message")),
        _json("data"),
    )
    op.create_index("ix_stream_logs_stream_id_number", "stream_logs", ["stream_id", "number"])
    op.create_table(
        "api_keys",
        _id(),
        _time("created_us"),
        _text("name"),
        _text("digest", unique=True),
        _text("last_four"),
        _time("revoked_us"),
    )
    op.create_table("settings", sa.Column("name", sa.Text, primary_key=True), _text("value"))


def downgrade() -> None:
    for table in ("settings", "api_keys", "stream_logs", "streams", "stream_configs", "connections"):
        op.drop_table(table)
