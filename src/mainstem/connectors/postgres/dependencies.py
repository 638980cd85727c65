"""What needs what: types, functions, tables and views of a database, by pg_depend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mainstem.connectors.postgres.ask import Ask
from mainstem.model.names import TableId

Node = tuple[str, int]
"""A kind (``type``, ``function``, ``relation``) and an oid."""

# Only what users made has oids from 16384 on. What a table's defaults, checks, indexes, triggers and policies need, the
# table needs; what a view's rule needs, the view. Foreign keys are left out: they come when all tables are there.
_NEEDS = """
SELECT DISTINCT kind, object, needed_kind, needed FROM (
    SELECT CASE d.classid WHEN 'pg_type'::regclass THEN 'type' WHEN 'pg_proc'::regclass THEN 'function'
            WHEN 'pg_constraint'::regclass THEN CASE WHEN con.contypid <> 0 THEN 'type' ELSE 'relation' END
            ELSE 'relation' END AS kind,
        CASE d.classid WHEN 'pg_rewrite'::regclass THEN r.ev_class WHEN 'pg_attrdef'::regclass THEN f.adrelid
            WHEN 'pg_trigger'::regclass THEN t.tgrelid WHEN 'pg_policy'::regclass THEN p.polrelid
            WHEN 'pg_constraint'::regclass THEN CASE WHEN con.contypid <> 0 THEN con.contypid ELSE con.conrelid END
            WHEN 'pg_class'::regclass THEN coalesce(i.indrelid, d.objid) ELSE d.objid END AS object,
        CASE d.refclassid WHEN 'pg_type'::regclass THEN 'type' WHEN 'pg_proc'::regclass THEN 'function'
            WHEN 'pg_class'::regclass THEN 'relation' ELSE 'extension' END AS needed_kind,
        d.refobjid AS needed
    FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    LEFT JOIN pg_constraint con ON d.classid = 'pg_constraint'::regclass AND con.oid = d.objid
    LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
    WHERE d.refobjid >= 16384 AND d.deptype IN ('n', 'e')
        AND d.classid IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_class'::regclass, 'pg_rewrite'::regclass,
            'pg_attrdef'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_constraint'::regclass)
        AND (d.refclassid IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_extension'::regclass)
            OR d.refclassid = 'pg_class'::regclass AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass))
) AS found WHERE object IS NOT NULL AND (kind, object) <> (needed_kind, needed)
UNION
SELECT 'relation', coalesce(i.indrelid, d.objid), 'extension', m.refobjid
FROM pg_depend d LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
JOIN pg_depend m ON m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e'
WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'n'
"""
# A type that is not an object of its own stands for another: an array for its elements' type, a row for its table.
_STANDS_FOR = """
SELECT t.oid, CASE WHEN e.oid IS NOT NULL THEN 'type' ELSE 'relation' END AS kind, coalesce(e.oid, c.oid) AS other
FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid
LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind <> 'c'
WHERE t.oid >= 16384 AND (e.oid IS NOT NULL OR c.oid IS NOT NULL)
"""
_MULTIRANGES = "SELECT rngmultitypid AS oid, rngtypid AS other FROM pg_range WHERE rngtypid >= 16384"
# A composite's attributes are columns of a relation that is not a table.
_COMPOSITES = """
SELECT c.oid, t.oid AS type FROM pg_class c JOIN pg_type t ON t.typrelid = c.oid WHERE c.relkind = 'c'
"""
_RELATIONS = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind IN ('v', 'm') AS is_view
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.oid >= 16384
"""
_MULTIRANGES_SINCE = 140_000


@dataclass(slots=True)
class Dependencies:
    """The graph.

    Attributes:
        relations: every table and view of the database by oid: its name, and whether it is a view.
    """

    needs: dict[Node, set[Node]]
    relations: dict[int, tuple[TableId, bool]]

    @classmethod
    def read(cls, ask: Ask) -> Dependencies:
        """Ask for it, in four queries."""
        stands_for: dict[Node, Node] = {("type", row.oid): (row.kind, row.other) for row in ask.rows(_STANDS_FOR)}
        if ask.version >= _MULTIRANGES_SINCE:
            stands_for.update({("type", row.oid): ("type", row.other) for row in ask.rows(_MULTIRANGES)})
        stands_for.update({("relation", row.oid): ("type", row.type) for row in ask.rows(_COMPOSITES)})

        def proper(node: Node) -> Node:
            while node in stands_for:
                node = stands_for[node]
            return node

        needs = defaultdict[Node, set[Node]](set)
        for row in ask.rows(_NEEDS):
            object_, needed = proper((row.kind, row.object)), proper((row.needed_kind, row.needed))
            if object_ != needed:
                needs[object_].add(needed)
        relations = {row.oid: (TableId(row.schema, row.name), row.is_view) for row in ask.rows(_RELATIONS)}
        return cls(dict(needs), relations)

    def order(self, nodes: Iterable[Node]) -> list[Node]:
        """The nodes, each after those that it needs; of a circle the first comes first."""
        wanted, done, ordered = dict.fromkeys(nodes), set[Node](), list[Node]()
        for start in wanted:
            stack: list[tuple[Node, bool]] = [(start, False)]
            while stack:
                node, left = stack.pop()
                if left:
                    if node in wanted:
                        ordered.append(node)
                elif node not in done:
                    done.add(node)
                    stack.append((node, True))
                    stack += [(other, False) for other in sorted(self.needs.get(node, ()), reverse=True)]
        return ordered

    def closure(self, node: Node) -> set[Node]:
        """All that a node needs, also through others."""
        found, waiting = set[Node](), [node]
        while waiting:
            for other in self.needs.get(waiting.pop(), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def needed_by(self, tables: Iterable[int]) -> Mapping[Node, frozenset[TableId]]:
        """For each node, those of the tables (by oid) that need it, also through others."""
        found = defaultdict[Node, set[TableId]](set)
        for oid in tables:
            for node in self.closure(("relation", oid)):
                found[node].add(self.relations[oid][0])
        return {node: frozenset(names) for node, names in found.items()}

    def uses(self, oid: int) -> tuple[TableId, ...]:
        """The tables and views that a view names."""
        nodes = self.needs.get(("relation", oid), ())
        known = (self.relations.get(other) for kind, other in nodes if kind == "relation")
        return tuple(sorted(relation[0] for relation in known if relation))
