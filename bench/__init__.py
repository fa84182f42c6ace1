"""What is fast, against what: the reference worker beside procrastinate and pgqueuer, on one server."""
