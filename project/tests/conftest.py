"""What all tests share."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[Any]]:
    """The log lines of this test. Every test captures them: to draw one crash takes structlog a second."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as captured:
        yield captured
