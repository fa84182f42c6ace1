"""api-service: the HTTP side of FlowForge."""

__version__ = "1.0.0"
