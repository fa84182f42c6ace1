"""The application: routes, error handlers and middleware put together."""

from fastapi import FastAPI

from .routes import router


def create_app() -> FastAPI:
    # The framework's own description is switched off: it would describe another API than the contract.
    # TODO lab01#the-contract: where will /openapi.json come from?
    app = FastAPI(title="flowforge", openapi_url=None)
    app.include_router(router)
    # TODO lab01#envelope: who answers for a path that is not there, and in which form?
    # TODO lab01#request-ids: what wraps what? Read the part on order in docs/concepts/http-server.md first.
    # TODO lab02#the-connection-pool: what is opened before the first request and closed after the last?
    return app
