"""Where tests drive an application: the seam is put in wherever one of these takes an application.

The libraries are left alone until the tests import them.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from labkit.sabotage.asgi import AsgiLayer
from labkit.sabotage.wsgi import WsgiLayer

Layer = type[AsgiLayer] | type[WsgiLayer]


def install() -> None:
    """Put the seam into every driver of this process, those included that are imported later."""
    for name, put_in in _DRIVERS.items():
        if name in sys.modules:
            put_in(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport())


def _constructor(cls: str, layer: Layer) -> Callable[[ModuleType], None]:
    """Wrap the application in the first argument of a class (`app` or `application`)."""

    def put_in(module: ModuleType) -> None:
        target = getattr(module, cls, None)
        if target is None:  # another version, which has another way
            return
        original = target.__init__

        @functools.wraps(original)
        def construct(self: Any, *positional: Any, **named: Any) -> None:
            if positional:
                positional = (_wrapped(positional[0], layer), *positional[1:])
            for name in ("app", "application"):
                if name in named:
                    named[name] = _wrapped(named[name], layer)
            original(self, *positional, **named)

        target.__init__ = construct

    return put_in


def _uvicorn(module: ModuleType) -> None:
    """A server loads its application when it starts, in whichever thread that is."""
    original = module.Config.load

    @functools.wraps(original)
    def load(self: Any) -> None:
        original(self)
        self.loaded_app = _wrapped(self.loaded_app, AsgiLayer)

    module.Config.load = load


_layers: dict[int, Any] = {}


def _wrapped(app: Any, layer: Layer) -> Any:
    """The application with the seam around it: always the same one, since some keep what belongs to an
    application by its identity."""
    if isinstance(app, AsgiLayer | WsgiLayer):
        return app
    return _layers.setdefault(id(app), layer(app))


_DRIVERS: dict[str, Callable[[ModuleType], None]] = {
    "starlette.testclient": _constructor("TestClient", AsgiLayer),
    "httpx._transports.asgi": _constructor("ASGITransport", AsgiLayer),
    "httpx._transports.wsgi": _constructor("WSGITransport", WsgiLayer),
    "httpx2._transports.asgi": _constructor("ASGITransport", AsgiLayer),
    "httpx2._transports.wsgi": _constructor("WSGITransport", WsgiLayer),
    "schemathesis.python.asgi": _constructor("ASGIClient", AsgiLayer),
    "uvicorn.config": _uvicorn,
    "werkzeug.test": _constructor("Client", WsgiLayer),
}


class _AfterImport(MetaPathFinder):
    """Puts the seam into a driver as soon as it has been imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _DRIVERS or fullname in sys.modules:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            _after(spec.loader, _DRIVERS[fullname])
        return spec


def _after(loader: Loader, put_in: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def execute_and_put_in(module: ModuleType) -> None:
        execute(module)
        put_in(module)

    loader.exec_module = execute_and_put_in  # type: ignore[method-assign]
