"""The API and the queue on a real PostgreSQL: what a store in memory cannot show."""
