"""Another address of this machine, for services that are to listen there."""

from __future__ import annotations

import socket

from labkit.episodes import elsewhere


def test_the_other_host_is_our_own() -> None:
    with socket.socket() as listener:
        listener.bind((elsewhere._other_host(), 0))
        listener.listen()
        host, port = listener.getsockname()
        assert elsewhere._answers(host, port)
        assert host == "127.0.0.1" or not elsewhere._answers("127.0.0.1", port)
