"""The schema of a database as a mapping, read from the catalogue, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.sql import Identifier

from labkit.probe import Probe

Schema = dict[str, str]
"""What there is ("column tasks.title", "index tasks.tasks_pkey") → how it is defined.

What lies outside the schema `public` bears its schema's name: "table audit.changes".
"""

_QUERY = """
    WITH ours AS (
        SELECT oid, nspname, CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END AS prefix
        FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'labkit')
    ),
    relations AS (
        SELECT c.oid, c.relname, c.relkind, ours.prefix || c.relname AS name,
               c.relpersistence::text || coalesce(array_to_string(c.reloptions, ','), '') AS options
        FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
    )
    SELECT CASE WHEN relkind IN ('v', 'm') THEN 'view ' ELSE 'table ' END || name AS name,
           options AS definition
    FROM relations WHERE relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT 'sequence ' || coalesce(owner.name || '.' || s.relname, s.name), s.options
    FROM relations s
    LEFT JOIN pg_depend d
        ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    LEFT JOIN relations owner ON owner.oid = d.refobjid
    WHERE s.relkind = 'S'
    UNION ALL
    SELECT 'column ' || r.name || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(
               CASE a.attgenerated WHEN '' THEN ' DEFAULT ' ELSE ' GENERATED AS ' END
               || pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute a
    JOIN relations r ON r.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint ' || r.name || '.' || k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN relations r ON r.oid = k.conrelid
    WHERE k.contype <> 'n'
    UNION ALL
    SELECT 'index ' || r.name || '.' || i.relname,
           pg_get_indexdef(x.indexrelid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN relations r ON r.oid = x.indrelid
    UNION ALL
    SELECT 'trigger ' || r.name || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'function ' || ours.prefix || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           md5(pg_get_functiondef(p.oid))
    FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p') AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    UNION ALL
    SELECT 'type ' || ours.prefix || t.typname,
           t.typtype::text || coalesce(
               (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder)
                FROM pg_enum WHERE enumtypid = t.oid), '')
    FROM pg_type t JOIN ours ON ours.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd')
    UNION ALL
    SELECT 'schema ' || nspname, '' FROM ours WHERE nspname <> 'public'
    UNION ALL
    SELECT 'extension ' || extname, '' FROM pg_extension WHERE extname <> 'plpgsql'
"""


def read(probe: Probe) -> Schema:
    """The schema of the probe's database; where a column stands among the others does not count."""
    return {row["name"]: row["definition"] for row in probe.query(_QUERY)}


def tables(schema: Mapping[str, str]) -> set[str]:
    """The names of its tables, those outside `public` with their schema's name."""
    return {name.removeprefix("table ") for name in schema if name.startswith("table ")}


def columns(schema: Mapping[str, str], table: str) -> Schema:
    """The columns of a table: name → type, NOT NULL and DEFAULT."""
    start = f"column {table}."
    return {name.removeprefix(start): text for name, text in schema.items() if name.startswith(start)}


def places(probe: Probe) -> dict[str, Identifier]:
    """The tables' names, as `tables` gives them → how to call them in SQL."""
    rows = probe.query(
        "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%'"
        " AND nspname NOT IN ('information_schema', 'labkit')"
    )
    return {
        row["relname"] if row["nspname"] == "public" else f"{row['nspname']}.{row['relname']}": Identifier(
            row["nspname"], row["relname"]
        )
        for row in rows
    }


def homes(tables: set[str]) -> set[str]:
    """The schemas, other than `public`, that these tables lie in."""
    return {table.partition(".")[0] for table in tables if "." in table}


def without(schema: Mapping[str, str], ignored: set[str]) -> Schema:
    """The schema without those tables, what belongs to them, and the schemas that they lie in."""
    gone = [*ignored, *homes(ignored)]

    def belongs(name: str) -> bool:
        rest = name.partition(" ")[2]
        return any(rest == one or rest.startswith(f"{one}.") for one in gone)

    return {name: text for name, text in schema.items() if not belongs(name)}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs, a sentence each."""
    lines = [f"{name} is missing" for name in before if name not in after]
    lines += [f"{name} should not be there" for name in after if name not in before]
    lines += [
        f"{name} should be {before[name]!r}, is {after[name]!r}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    return lines
