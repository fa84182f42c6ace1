import os

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.closerange(0, 256)
        os.execve("/bin/sleep", ["kworker", "600"], {})
    os._exit(0)
