"""The shapes: what a client may send, what a client gets back, and the rules for each field."""

# TODO lab01#validation: which fields are the client's, which the server's? Is that one shape or two?
# TODO lab01#hostile-input: what can a JSON text hold that a task must not?
