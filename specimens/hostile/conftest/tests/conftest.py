from conftest import *  # noqa: F403
