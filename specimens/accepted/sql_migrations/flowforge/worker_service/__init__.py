"""The worker-service: takes tasks from the queue and has child processes run them."""
