"""All pages, put into one application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from nicegui import app, ui
from starlette.types import ASGIApp

from citefidelity.web.citation_page import citation_page
from citefidelity.web.failures_page import failures_page
from citefidelity.web.missing_page import missing_page
from citefidelity.web.papers_page import papers_page
from citefidelity.web.results_page import results_page
from citefidelity.web.run_page import run_page
from citefidelity.web.site import Site

PAGES = (run_page, results_page, citation_page, failures_page, papers_page)
"""Each registers its own page; a new one is added here and, where it is in the navigation, in ``site.py``."""

HERE = Path(__file__).parent
STYLE = "/citefidelity.css"
FAVICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3"
fill="#0b57a4"/><path d="M4 8.5l2.8 2.8L12 5.5" fill="none" stroke="#fff" stroke-width="2"/></svg>"""
FAST_COMPRESSION = 3
WORTH_COMPRESSING_BYTES = 1_000


def application(site: Site) -> FastAPI:
    """The pages about ``site``; once per process, because pages are registered in one place for all."""
    app.add_static_file(local_file=HERE / "style.css", url_path=STYLE, max_cache_age=0)
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE}">', shared=True)
    for page in PAGES:
        page(site)
    outer = FastAPI(openapi_url=None)
    ui.run_with(
        outer,
        title="citefidelity",
        favicon=FAVICON,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        gzip_middleware_factory=_gzip,
    )
    missing_page(site)
    return outer


def _gzip(inner: ASGIApp) -> GZipMiddleware:
    return GZipMiddleware(inner, minimum_size=WORTH_COMPRESSING_BYTES, compresslevel=FAST_COMPRESSION)
