"""The schema of a database as a mapping, read from the catalogue, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.probe import Probe

Schema = dict[str, str]
"""What there is ("column tasks.title", "index tasks_pkey") → how it is defined."""

_QUERY = """
    WITH ours AS (
        SELECT oid FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'labkit')
    )
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view '
                          ELSE 'table ' END || c.relname AS name,
           c.relpersistence::text || coalesce(array_to_string(c.reloptions, ','), '') AS definition
    FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
    UNION ALL
    SELECT 'column ' || c.relname || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'p', 'v', 'm')
          AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint ' || c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace IN (SELECT oid FROM ours) AND k.contype <> 'n'
    UNION ALL
    SELECT 'index ' || i.relname,
           pg_get_indexdef(x.indexrelid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE i.relnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'trigger ' || c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace IN (SELECT oid FROM ours) AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           md5(pg_get_functiondef(p.oid))
    FROM pg_proc p
    WHERE p.pronamespace IN (SELECT oid FROM ours) AND p.prokind IN ('f', 'p')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    UNION ALL
    SELECT 'type ' || t.typname,
           t.typtype::text || coalesce(
               (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder)
                FROM pg_enum WHERE enumtypid = t.oid), '')
    FROM pg_type t
    WHERE t.typnamespace IN (SELECT oid FROM ours) AND t.typtype IN ('e', 'd')
    UNION ALL
    SELECT 'schema ' || nspname, ''
    FROM pg_namespace WHERE oid IN (SELECT oid FROM ours) AND nspname <> 'public'
    UNION ALL
    SELECT 'extension ' || extname, '' FROM pg_extension WHERE extname <> 'plpgsql'
"""


def read(probe: Probe) -> Schema:
    """The schema of the probe's database; where a column stands among the others does not count."""
    return {row["name"]: row["definition"] for row in probe.query(_QUERY)}


def tables(schema: Mapping[str, str]) -> set[str]:
    """The names of its tables."""
    return {name.removeprefix("table ") for name in schema if name.startswith("table ")}


def without(schema: Mapping[str, str], ignored: set[str]) -> Schema:
    """The schema without those tables and what belongs to them."""

    def belongs(name: str, definition: str) -> bool:
        kind, _, rest = name.partition(" ")
        if kind in ("table", "column", "constraint", "trigger"):
            return rest.split(".")[0] in ignored
        if kind == "index":
            return any(f" ON public.{table} " in definition for table in ignored)
        return kind == "sequence" and any(rest.startswith(f"{table}_") for table in ignored)

    return {name: text for name, text in schema.items() if not belongs(name, text)}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs, a sentence each."""
    lines = [f"{name} is gone" for name in before if name not in after]
    lines += [f"{name} is new" for name in after if name not in before]
    lines += [
        f"{name} was {before[name]!r}, is {after[name]!r}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    return lines
