"""One piece at a time, and the API on a store in memory. Nothing here needs a database."""
