"""The worker-service."""
