"""Episodes: what takes seconds is played once, and judged by many checks."""
