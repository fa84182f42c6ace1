"""FlowForge on aiohttp and asyncpg."""

from pathlib import Path

VERSION = "1.0.0"
PROJECT = Path(__file__).resolve().parent.parent
