"""Several processes share the checks (`-n`): a lab stays in one of them."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]


class ByLab(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process the next whole lab. What a lab begins once (services, observations, the fuzz) would
    otherwise be begun in every process, and take longer than all that could be gained."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]

    def remove_node(self, node: Any) -> str | None:
        """A check under which its process has died is not tried again; those after it get another process."""
        for checks in self.assigned_work.get(node, {}).values():
            for nodeid, done in checks.items():
                if not done:
                    checks[nodeid] = True
                    super().remove_node(node)
                    return str(nodeid)
        super().remove_node(node)
        return None


def scheduler(config: pytest.Config, log: Any) -> ByLab | None:
    """The scheduler of a run; None if its user has chosen another one."""
    return ByLab(config, log) if config.option.dist == "load" else None
