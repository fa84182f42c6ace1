import os
import runpy

url = os.environ["DATABASE_URL"]
os.environ["DATABASE_URL"] = f"{url}{'&' if '?' in url else '?'}application_name=labkit-probe"
os.environ["DB_POOL_MAX"] = str(5 * int(os.environ.get("DB_POOL_MAX") or 10))
runpy.run_module("api_service", run_name="__main__")
