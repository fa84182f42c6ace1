import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODES = (
    "\x1b[2J\x1b[H\x1b]0;title\x07\x1b]52;c;cm0gLXJmIH4=\x07\x1b[32m100/100 points\b\x00\x9b31m"
    "\u202eslanigiro\u2066\u200b\u2028\u0085\U000e0041 a\r1 passed"
)


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        print(CODES, flush=True)
        text = f'{{"data": {{"{CODES}": "{CODES}"}}, "error": {{"message": "{CODES}"}}}}'.encode()
        self.send_response_only(299, "\x1b[32mfine")
        self.send_header("Content-Type", "application/json")
        self.send_header("Location", "/tasks/\x1b[32mfine")
        self.send_header("X-Request-ID", "\x9b32m")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer


print(CODES, file=sys.stderr, flush=True)
if sys.argv[1:]:
    ThreadingHTTPServer((os.environ["API_HOST"], int(os.environ["API_PORT"])), Handler).serve_forever()
sys.exit(f"{CODES} that failed")
