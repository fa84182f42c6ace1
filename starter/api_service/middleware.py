"""Middleware: what happens around every request, whichever route it is for."""

# TODO lab01#request-ids: an id for every request, on the response and on the request's log line.
# TODO lab01#envelope: a crash is an answer too. Which of these two layers must be the outer one?
