"""FlowForge in blocking Python: a thread for every request."""

VERSION = "1.0.0"
