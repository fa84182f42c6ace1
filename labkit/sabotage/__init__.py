"""Saboteurs: layers around a student's application, each with one defect, for tests that should notice it.

All of it works in the process of the student's tests, where labkit.suite brings it.
"""
