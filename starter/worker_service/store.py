"""The store, as a worker sees it: a queue. A function for each thing that can happen to a task."""

# TODO lab03#claiming: list what can happen to a task, and who may do it. Is each of these one statement?
# TODO lab03#many-workers: two workers send the first of them in the same millisecond. What does each get?
# TODO lab03#when-a-worker-dies: what must a row say so that somebody else can tell that its worker is gone?
# TODO lab03#late-finishers: which of these statements may only succeed for the one whose task it is, and how
# does the statement itself know?
# TODO lab03#poison-pills: which of them sees that it has been tried too often?
# TODO lab03#when-the-database-goes-away: which of them may be sent twice, after an error?
