#!/bin/sh
# Creates the virtual environment that every command uses. Usage: sh bootstrap.sh .venv
set -eu
venv=$1

fail() { printf 'make install: %s\n' "$1" >&2; exit 1; }

supported() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if supported "$name"; then command -v "$name"; return; fi
    done
    return 1
}

printf 'Setting up %s (once; about half a minute) …\n' "$venv" >&2
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python '>=3.11' "$venv" || fail 'uv could not create the environment (see above).'
    VIRTUAL_ENV=$(cd "$venv" && pwd) uv pip install --quiet -c constraints.txt -e '.[dev]' \
        || fail 'packages could not be installed (see above). Is the package registry reachable?'
else
    python=$(find_python) || fail 'needs Python 3.11 or newer. Install it, or point PYTHON at it: make install PYTHON=/path/to/python3.12'
    "$python" -m venv "$venv" || fail "'$python -m venv' failed. On Debian and Ubuntu: sudo apt install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' \
        || fail 'packages could not be installed (see above). Is the package registry reachable?'
fi
