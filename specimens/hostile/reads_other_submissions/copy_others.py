import shutil
from pathlib import Path

here = Path.cwd()
for folder in [*here.parent.iterdir(), *here.parents[1].glob("*/project")]:
    if folder != here and (folder / "migrations").is_dir():
        shutil.copytree(folder, here, dirs_exist_ok=True)
        break
