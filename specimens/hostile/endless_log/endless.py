import os
import runpy
import sys

os.set_inheritable(1, True)
if (writer := os.fork()) == 0:
    noise = b"\x1b[31mnoise\x00\xff" * 5_000
    if os.fork() == 0:
        while True:
            os.write(2, noise)
    while True:
        os.write(1, noise)
runpy.run_module(sys.argv[1], run_name="__main__")
