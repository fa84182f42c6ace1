import os
import runpy
import sys
import tempfile

folder = tempfile.mkdtemp()
for _ in range(20):
    with tempfile.NamedTemporaryFile(delete=False, dir=folder) as file:
        file.write(b"x" * 10_000)
os.symlink("/", os.path.join(folder, "everything"))
os.chmod(folder, 0)
if sys.argv[1:]:
    runpy.run_module(sys.argv[1], run_name="__main__")
