"""The API held against its own description."""
