"""The server."""

from api_service.server import main


def test_main():
    assert main([]) == 0
