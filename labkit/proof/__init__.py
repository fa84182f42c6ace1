"""Proof of the checks: projects whose marks are known beforehand, and whether the checks give them those marks."""
