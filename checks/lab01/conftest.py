"""What only the checks of lab 01 need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from labkit import fuzz
from labkit.deadlines import scaled
from labkit.fuzz import FuzzResult
from labkit.project import ProjectError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def fresh_stack(shared_stack, request):
    """An API without any tasks in it, for the checks of one file; or why there is none."""
    if isinstance(shared_stack, Exception):
        return shared_stack
    return request.getfixturevalue("new_stack")(surveyed=shared_stack.surveyed)


@pytest.fixture(scope="session", autouse=True)
def fuzzing(request) -> Iterator[dict[str, Future]]:
    """Phase of the fuzz → its result to be. The phases run one after another, beside the other checks."""
    phases = [
        item.name.removeprefix("test_") for item in request.session.items if item.path.stem == "test_fuzz"
    ]
    if not phases:
        yield {}
        return
    shared = request.getfixturevalue("shared_stack")
    if isinstance(shared, Exception):
        yield {}
        return
    try:
        own = request.getfixturevalue("new_stack")(surveyed=shared.surveyed)
    except ProjectError:  # the checks of the fuzz will see that for themselves, and nobody else need fail
        yield {}
        return
    seed = request.config.option.lab_seed
    with ThreadPoolExecutor(1) as pool:
        try:
            yield {phase: pool.submit(_fuzz, own.service.url, phase, seed) for phase in phases}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            own.service.kill()  # so that a fuzz which nobody waits for any more comes to its end


@pytest.fixture
def fuzzed(stack, fuzzing, request) -> Callable[[str], FuzzResult]:
    """The result of a phase of the fuzz against an API with a fresh database."""

    def result(phase: str) -> FuzzResult:
        if phase in fuzzing:
            return fuzzing[phase].result()
        own = request.getfixturevalue("new_stack")(surveyed=stack.surveyed)
        return _fuzz(own.service.url, phase, request.config.option.lab_seed)

    return result


def _fuzz(url: str, phase: str, seed: int) -> FuzzResult:
    return fuzz.run_fuzz(
        url,
        phase=phase,
        seed=seed,
        config=ROOT / "schemathesis.toml",
        contract=ROOT / "openapi.yaml",
        timeout=scaled(50),
    )
