"""The task types: from a payload to a result, or to a reason why there is none. No database in here."""

# TODO lab03#tasks-and-their-types: what do all four have in common? And a fifth, next month?
