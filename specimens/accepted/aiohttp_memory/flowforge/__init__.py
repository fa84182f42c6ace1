"""FlowForge's API on aiohttp, with its tasks in memory."""

__version__ = "1.0.0"
