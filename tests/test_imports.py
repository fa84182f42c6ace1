"""Which files a command loads: what belongs to an API that is not called api_service."""

from pathlib import Path

import pytest

from labkit.suite import imports

FILES = {
    "run.py": "from shop.server import main\n",
    "shop/__init__.py": "",
    "shop/__main__.py": "def main():\n    from . import server\n",
    "shop/server.py": "import json, shop.store\nfrom .text import words\nuvicorn.run('shop.web:app')\n",
    "shop/store.py": "from shop.text.words import WORDS\n",
    "shop/web.py": "app = None\n",
    "shop/text/__init__.py": "",
    "shop/text/words.py": "from .. import store\n",
    "shop/worker.py": "import shop.server\n",
    "src/other/api.py": "import this is no python\n",
}
SERVER = {
    *("shop/__init__.py", "shop/server.py", "shop/store.py", "shop/web.py"),
    *("shop/text/__init__.py", "shop/text/words.py"),
}


@pytest.mark.parametrize(
    ("command", "reached"),
    [
        ("python run.py", {"run.py"} | SERVER),
        ("python -m shop", {"shop/__main__.py"} | SERVER),
        ("uvicorn shop.web:app --host 0.0.0.0", {"shop/__init__.py", "shop/web.py"}),
        ("gunicorn shop.web:make()", {"shop/__init__.py", "shop/web.py"}),
        ("uvicorn --app-dir src other.api:app", {"src/other/api.py"}),
        ("node server.js", set()),
        ("python -m missing", set()),
        ("", set()),
    ],
)
def test_what_a_command_loads(tmp_path: Path, command: str, reached: set[str]) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = imports.reached(tmp_path, command.split())
    assert {str(file.relative_to(tmp_path.resolve())) for file in found} == reached
