def test_nothing():
    import api_service

    print(api_service.__name__)
