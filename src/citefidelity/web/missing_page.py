"""The page for an address that leads nowhere."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui

from citefidelity.web.parts import text
from citefidelity.web.site import Site


def missing_page(site: Site) -> None:
    """Register the page, after all others: it takes whatever they leave."""

    @ui.page("/{path:path}")
    def show(request: Request, path: str) -> RedirectResponse | None:
        if path.endswith("/"):
            # Two slashes at the beginning would make what follows a host.
            return RedirectResponse(str(request.url.replace(path=f"/{path.strip('/')}")))
        ui.status_code(HTTPStatus.NOT_FOUND)
        with site.frame("No such page"):
            text("p", "There is no page at this address. Those that there are stand above.", id="missing")
        return None
