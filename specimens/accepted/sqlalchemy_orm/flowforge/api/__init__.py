"""The api-service."""
