"""The HTTP API of FlowForge: takes tasks from clients and tells them what became of these tasks."""
