"""What api-service reads from the environment."""

import re
from typing import Annotated

from pydantic import AfterValidator

from flowforge.settings import ServiceSettings, WholeNumber, port


def host(text: str) -> str:
    """A host name or IP address by its looks; whether it is ours, we find out when we listen on it."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*|[0-9A-Fa-f:.]+(%\w+)?", text):
        raise ValueError("must be a host name or an IP address")
    return text


class ApiSettings(ServiceSettings):
    """What api-service reads besides what every service reads."""

    api_host: Annotated[str, AfterValidator(host)] = "127.0.0.1"
    api_port: Annotated[WholeNumber, AfterValidator(port)] = 8080
