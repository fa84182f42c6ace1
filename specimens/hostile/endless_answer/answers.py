import asyncio


class Answers:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/info":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
                await asyncio.sleep(0)
        if scope["type"] == "http" and scope["path"] == "/health":
            headers = [(b"x-%d" % number, b"y" * 1000) for number in range(20_000)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            return await send({"type": "http.response.body", "body": b""})
        return await self.app(scope, receive, send)
