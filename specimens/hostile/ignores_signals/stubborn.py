import contextlib
import runpy
import signal
import subprocess
import sys

import uvicorn

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


@contextlib.contextmanager
def nothing(server):
    yield


uvicorn.Server.capture_signals = nothing
runpy.run_module("api_service", run_name="__main__")
