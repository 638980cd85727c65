"""Enumerated types of the target: made, or made to fit where one of the name is there."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.connectors.postgres.literals import dollar_quoted, quoted, string, text_array

# What is there is asked when the statement runs. The type that a dropped table has left is made anew where nothing
# needs it. Else the labels that it lacks are added in their places; one that has others besides holds all values, too.
# A label that is added here cannot be used before the transaction is over.
# Source: PostgreSQL manual, "ALTER TYPE" (Notes), "DO", "RAISE".
_MADE = """
DECLARE
  wanted text[] := {wanted};
  there text[];
  named text;
  before text;
BEGIN
  BEGIN
    {create};
    RETURN;
  EXCEPTION WHEN duplicate_object THEN
    there := (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_catalog.pg_enum
              WHERE enumtypid = {name}::regtype);
    IF there IS NULL THEN
      RAISE;
    END IF;
  END;
  IF there = wanted THEN
    RETURN;
  END IF;
  BEGIN
    DROP TYPE {sql};
    {create};
    RETURN;
  EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
  END;
  IF ARRAY(SELECT label FROM unnest(there) WITH ORDINALITY AS t (label, n) WHERE label = ANY(wanted) ORDER BY n)
     <> ARRAY(SELECT label FROM unnest(wanted) WITH ORDINALITY AS w (label, n) WHERE label = ANY(there) ORDER BY n) THEN
    SELECT string_agg(DISTINCT attrelid::regclass || '.' || quote_ident(attname), ', ') INTO named
    FROM pg_catalog.pg_attribute WHERE atttypid = {name}::regtype AND NOT attisdropped;
    RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = concat('type ', {name},
      ' is there with its labels in another order, and is used by ', coalesce(named, 'something else'),
      '; run: ALTER TYPE ', {name}, ' RENAME TO ', {renamed});
  END IF;
  FOREACH named IN ARRAY wanted LOOP
    IF named <> ALL(there) AND before IS NULL THEN
      EXECUTE format('ALTER TYPE {percent} ADD VALUE %L BEFORE %L', named, there[1]);
    ELSIF named <> ALL(there) THEN
      EXECUTE format('ALTER TYPE {percent} ADD VALUE %L AFTER %L', named, before);
    END IF;
    before := named;
  END LOOP;
END
"""


def make(sql: str, name: str, labels: Sequence[str], more: Sequence[str] = ()) -> str:
    """A statement after which the type has these labels in this order.

    Args:
        sql: the type's name, quoted, with its schema if that is known.
        name: the same without its schema, and as it is.
        more: statements behind the type's own, where it is made.

    The server refuses it (42710) where a type of the name is not enumerated, or is used with another order of labels.
    """
    listed = ", ".join(string(label) for label in labels)
    create = ";\n    ".join([f"CREATE TYPE {sql} AS ENUM ({listed})", *more])
    body = _MADE.format(
        wanted=text_array(labels), create=create, name=string(sql), sql=sql,
        renamed=string(quoted(name[:50] + "_former")), percent=sql.replace("%", "%%").replace("'", "''"),
    )  # fmt: skip
    told = " ".join(f"CREATE TYPE {sql} AS ENUM ({listed})".split())
    return f"-- {told}, or have the one that is there hold these labels\nDO {dollar_quoted(body)}"


def add(sql: str, labels: Sequence[str], there: Sequence[str] = ()) -> list[str]:
    """Statements that give a type all of these labels, each in its place.

    Args:
        there: labels that it is known to have; the others may be there.
    """
    known = set(there)
    made = []
    for place in reversed(range(len(labels))):
        beside = f" BEFORE {string(labels[place + 1])}" if place + 1 < len(labels) else ""
        if labels[place] not in known:
            made.append(f"ALTER TYPE {sql} ADD VALUE IF NOT EXISTS {string(labels[place])}{beside}")
    return made
