"""The service answers. So does a service that does everything wrong: what else is there to ask it?"""

from fastapi.testclient import TestClient


def test_an_unknown_path_is_404(client: TestClient) -> None:
    response = client.get("/nothing")
    assert response.status_code == 404
    # TODO lab05#twelve-cases-and-four: the status is right. What else was promised for this answer?


# TODO lab05#twelve-cases-and-four: which of the twelve do you want to hear about first when it breaks?
# TODO lab05#tests-that-can-fail: for each new test, have you seen it red? What did you break for that?
# TODO lab05#what-runs-and-what-does-not: which lines of api_service has nobody asked for yet?
