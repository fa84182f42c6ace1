"""Coverage: what no test has ever run, no test can have judged."""

from labkit.checks import check
from labkit.evidence import expect, fail

HANDOUT = "lab-05-testing.md#what-runs-and-what-does-not"
ENOUGH = 70.0


@check(points=2.4, read=HANDOUT)
def test_seventy_percent(told):
    """The tests execute at least 70 % of the statements of api_service.

    Which of your functions has never been called by a test, and what would it take to call it?
    """
    coverage = told("coverage")
    enough = f"at least {ENOUGH:.0f} % of the statements of api_service"
    if not coverage.statements:
        fail(
            enough, "no figures: the run ended before it could write any, or imported nothing of api_service"
        )
    shown = [f"{coverage.percent:.1f} % of {coverage.statements} statements; most is missing in"]
    shown += [f"  {function}" for function in coverage.functions[:6]]
    expect(coverage.percent >= ENOUGH, enough, "\n".join(shown))
