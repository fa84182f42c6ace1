import sys

import fastapi.testclient
import httpx


def test_nobody_is_in_between():
    layers = [name for name in sys.modules if "sabot" in name]
    assert not layers
    assert httpx.ASGITransport.__init__.__module__ == "httpx._transports.asgi"
    assert fastapi.testclient.TestClient.__init__.__module__ == "starlette.testclient"
