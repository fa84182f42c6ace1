"""load-test.py against a service of ours, whose latency and errors are known."""

from labkit import scripts, standin
from labkit.checks import check
from labkit.deadlines import scaled
from labkit.episodes.unheard import REQUESTS as REQUESTS_UNHEARD
from labkit.evidence import did, expect, only, shorten
from labkit.logs import is_number
from labkit.standin import StandIn

HANDOUT = "lab-04-operations.md#load-test"
SCRIPT = "load-test.py"
REQUESTS = 40
QUICK_S, SLOW_S = 0.01, 0.3
SLACK_MS, MUCH_SLACK_MS = 150, 1000
"""How much a busy machine may add to half of the requests, and to the slowest (scaled)."""
PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")


@check(points=0.6, read=HANDOUT)
def test_counts_what_happened(stage):
    """The script makes as many requests as told, counts successes and failures, and times them truly.

    Of forty requests, four take thirty times as long, and five are refused. Which of your numbers shows it,
    and which hides it?
    """
    service = StandIn(
        latency_s=lambda number: SLOW_S if number % 10 == 7 else QUICK_S,
        status=lambda number: 503 if number % 8 == 3 else 201,
    )
    with standin.serving(service) as api:
        did("serve POST /tasks: each tenth takes 300 ms, the others 10 ms; each eighth is a 503")
        ended = _load(stage, api.settings, REQUESTS, 4)
    expect(
        not service.refused, "POSTs that the contract takes", service.refused[0] if service.refused else ""
    )
    expect(service.posts == REQUESTS, f"{REQUESTS} times POST /tasks", service.posts)
    ended.expect(1, "since some requests failed")
    _counts(ended, REQUESTS, failed=REQUESTS // 8)
    found = {name: ended.json.get(name) for name in PERCENTILES}
    expect(all(map(is_number, found.values())), "numbers as percentiles", shorten(ended.out))
    quick, slow = QUICK_S * 1000, SLOW_S * 1000
    told = f"nine in ten requests took {quick:.0f} ms, one in ten {slow:.0f} ms"
    half = quick <= found["p50_ms"] <= quick + scaled(SLACK_MS)
    expect(half, f"p50_ms a little above {quick:.0f}: {told}", found)
    for name in ("p95_ms", "p99_ms"):
        most = slow <= found[name] <= slow + scaled(MUCH_SLACK_MS)
        expect(most, f"{name} a little above {slow:.0f}: {told}", found)


@check(points=0.4, read=HANDOUT)
def test_runs_as_many_at_once_as_told(stage):
    """With `--concurrency C` there are C requests under way at a time, no more and no fewer.

    Two hundred requests, one after the other, or twenty at a time: what does each of them measure?
    """
    service = StandIn(latency_s=lambda number: 0.02, together=6)
    with standin.serving(service) as api:
        ended = _load(stage, api.settings, 18, 6).expect(0, "since all requests succeeded")
    expect(service.most_at_once == 6, "6 requests at a time with --concurrency 6", service.most_at_once)
    _counts(ended, 18, failed=0)


@check(points=0.3, read=HANDOUT)
def test_nobody_is_there(unheard):
    """When the API is not there, or takes connections and says nothing, all requests fail, the percentiles
    are null, and the exit status is 1.

    Nothing is answered, and so nothing took any time. When do you stop waiting, and what is the median of
    nothing?
    """
    for ended, api in (
        (unheard.absent, "an API that is not there"),
        (unheard.silent, "an API that takes connections and says nothing"),
    ):
        only(f"load {api}", f"python scripts/{SCRIPT} --requests {REQUESTS_UNHEARD} --json")
        ended.expect(1, f"of a load on {api}, since all requests failed")
        _counts(ended, REQUESTS_UNHEARD, failed=REQUESTS_UNHEARD)
        wrong = [name for name in PERCENTILES if ended.json.get(name, "") is not None]
        expect(not wrong, "null as percentiles, when nothing succeeded", shorten(ended.out))


def _load(stage, settings, requests, concurrency):
    arguments = ("--requests", str(requests), "--concurrency", str(concurrency), "--json")
    given = {"DATABASE_URL": stage.database.url, **settings}
    return scripts.run(stage.project, SCRIPT, *arguments, settings=given)


def _counts(ended, requests, failed):
    wanted = {"requests": requests, "succeeded": requests - failed, "failed": failed}
    found = {name: ended.json.get(name) for name in wanted}
    expect(found == wanted, f"{wanted}", shorten(ended.out))
