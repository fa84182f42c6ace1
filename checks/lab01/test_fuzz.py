"""The contract fuzzed: thousands of requests that nobody thought of, each answer held against
openapi.yaml."""

from labkit.checks import check
from labkit.evidence import did, fail

HANDOUT = "lab-01-rest-api.md#fuzzing"


@check(points=0.2, read=HANDOUT)
def test_coverage(fuzzed):
    """Every boundary that the contract draws holds: each limit, each type, each field left out.

    The contract says where the edges are. Has anybody stood on all of them?
    """
    _nothing_found(fuzzed, "coverage")


@check(points=0.2, read=HANDOUT)
def test_fuzzing(fuzzed):
    """Whatever random input the contract allows or forbids, the answer is one that the contract knows.

    Which inputs did you never try because nobody would send them?
    """
    _nothing_found(fuzzed, "fuzzing")


@check(points=0.2, read=HANDOUT)
def test_stateful(fuzzed):
    """Requests that follow one another, create, read, replace, delete and read again, fit together.

    The next request is made from your last answer. Can a program that knows only the contract go on from it?
    """
    _nothing_found(fuzzed, "stateful")


def _nothing_found(fuzzed, phase):
    result = fuzzed(phase)
    did(f"fuzz openapi.yaml with schemathesis, phase {phase}: {result.cases} requests")
    if result.findings:
        first = result.findings[0]
        did(f"{first.operation}: {first.title}", curl=first.curl)
        others = len(result.findings) - 1
        more = (
            "\n… and one more finding" if others == 1 else f"\n… and {others} more findings" if others else ""
        )
        fail("nothing to be found", f"{first.title} ({first.operation}): {first.explanation}{more}")
