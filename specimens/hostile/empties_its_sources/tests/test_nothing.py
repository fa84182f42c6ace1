import api_service.app


def test_nothing():
    print(api_service.app)
