"""Errors: every one leaves this service in the same envelope, whoever noticed it."""

# TODO lab01#envelope: list who can notice an error before your own function is called.
# TODO lab01#methods-and-media-types: 405, 413 and 415, in the order that the contract gives.
# TODO lab02#when-the-database-goes-away: which of the database's errors is a 503, and which a 500?
