"""Ports: free ones, and who listens where."""

from __future__ import annotations

import os
import socket

import pytest

from labkit import ports
from labkit.ports import free_port, listening


def test_a_port_is_found_though_somebody_has_taken_all_that_we_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_TRIED", 0)
    with socket.create_server(("127.0.0.1", free_port())) as found:
        assert found.getsockname()[1] > 0


def test_an_ipv6_address_is_told_apart_from_its_port() -> None:
    try:
        here = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with here:
        assert f"[::1]:{here.getsockname()[1]}" in listening(os.getpid())
