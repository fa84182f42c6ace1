"""worker-service: claims tasks from the queue, which is a table, and runs them."""
