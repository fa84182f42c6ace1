MEGABYTE = b"[" + b" " * (1024 * 1024 - 3) + b"],"


class Answers:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] != "/info":
            return await self.app(scope, receive, send)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % (1024 * len(MEGABYTE))),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": MEGABYTE, "more_body": True})
        return await send({"type": "http.response.body", "body": b""})
