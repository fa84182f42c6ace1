"""The seam between tests and application: which saboteur sits there now, and who is told what passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labkit.sabotage.exchange import Conversation, Request
from labkit.sabotage.saboteurs import Saboteur

Tell = Callable[[str, str, int], None]
"""Is told of an exchange: method, resource, and the status that the client got."""


@dataclass
class Seam:
    """One a process. Without a saboteur everything passes as it is."""

    saboteur: Saboteur | None = None
    tell: Tell = lambda method, resource, status: None

    def converse(self, request: Request) -> Conversation:
        """The conversation about one request, whoever sits there."""
        saboteur = self.saboteur
        if saboteur and saboteur.meddles(request.method, request.resource):
            response = yield from saboteur.converse(request)
        else:
            response = yield request
        self.tell(request.method, request.resource, response.status)
        return response


SEAM = Seam()
