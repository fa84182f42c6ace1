"""The worker of FlowForge: claims tasks from the database, runs them and records the outcome."""

# TODO lab03#many-workers: what would a second copy of this process do to the first one while both run?
