"""Comes into every Python process that a student's tests start, by PYTHONPATH: the seam goes along.

A sitecustomize of the machine's own, which this one hides, is run as well.
"""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

_elsewhere = [
    path for path in sys.path if os.path.realpath(path or ".") != os.path.dirname(os.path.realpath(__file__))
]
_own = PathFinder.find_spec("sitecustomize", _elsewhere)
if _own is not None and _own.loader is not None:
    _own.loader.exec_module(importlib.util.module_from_spec(_own))

if os.environ.get("LABKIT_SABOTEUR") is not None:
    from labkit.suite import companion

    companion.join()
