"""FlowForge: tasks over HTTP, kept and queued in PostgreSQL."""

__version__ = "1.0.0"
