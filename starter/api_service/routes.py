"""The routes: one function for each operation of openapi.yaml. HTTP in, HTTP out, no storage in here."""

from fastapi import APIRouter

router = APIRouter()

# TODO lab01#routes: /health and /info, the two that need no tasks.
# TODO lab02#when-the-database-goes-away: how long may /health wait for its answer?
# TODO lab01#creating-tasks: POST /tasks, and GET /tasks/{id} to see what became of it.
# TODO lab01#lists-and-pages: GET /tasks.
# TODO lab01#replacing: PUT /tasks/{id}.
# TODO lab01#deleting: DELETE /tasks/{id}.
