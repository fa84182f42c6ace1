"""A student's own tests, run again and again: as they are, in other orders, and with a saboteur at a time."""
