"""What the scripts do: a module for each, with a `parser()` for its arguments and an `act()`."""
