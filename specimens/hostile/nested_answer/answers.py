BODIES = {
    "/info": b"[" * 100_000 + b"]" * 100_000,
    "/health": b'{"data": {"status": "ok", "database": ' + b"9" * 1_000_000 + b'}, "error": null}',
}


class Answers:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] not in BODIES:
            return await self.app(scope, receive, send)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": BODIES[scope["path"]]})
