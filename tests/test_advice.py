"""Advice on SQL: the rule, the statement, the reason and the safer form, once each."""

from labkit import advice


def test_a_dangerous_statement_is_explained() -> None:
    found = advice.on_statements(
        [
            "ALTER TABLE tasks ADD COLUMN rank integer NOT NULL -- at the end\n",
            "CREATE INDEX a ON tasks (rank)",
        ]
    )
    assert [one.rule for one in found] == ["adding-required-field", "require-concurrent-index-creation"]
    assert found[0].statement == "ALTER TABLE tasks ADD COLUMN rank integer NOT NULL;"
    assert "NOT NULL" in found[0].reason
    assert "nullable" in str(found[0])


def test_each_rule_comes_once() -> None:
    found = advice.on_statements([f"CREATE INDEX i{n} ON tasks (rank)" for n in range(3)])
    assert len(found) == 1


def test_safe_statements_need_no_advice() -> None:
    assert advice.on_statements(["ALTER TABLE tasks ADD COLUMN rank integer"]) == []
    assert advice.on_statements([]) == []
