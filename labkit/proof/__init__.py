"""Proof of the checks: projects whose marks are known beforehand, and whether they get those marks."""
