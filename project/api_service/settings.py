"""What api-service reads from the environment."""

from flowforge.settings import AddressSettings, ServiceSettings


class ApiSettings(ServiceSettings, AddressSettings):
    """What every service reads, and where to listen."""
