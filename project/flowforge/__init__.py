"""What all parts of FlowForge share: the configuration, the logs, the way to the database."""
