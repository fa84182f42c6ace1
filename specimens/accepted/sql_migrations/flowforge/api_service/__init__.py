"""The api-service: HTTP in front of the store."""
