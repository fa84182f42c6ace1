"""The worker of FlowForge: claims tasks from the database, runs them and records the outcome.

Empty until lab 03. Your Procfile then gets a line for it, beside the API's.
"""

# TODO lab03: what would a second copy of this process, running at the same time, do to the first one?
