"""`GET /healthz`: is it up, since when, with which policies, and how much has passed through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

Status = Callable[[], Awaitable[Mapping[str, Any]]]
"""What `app` knows at this moment, as JSON values."""


def console(status: Status) -> web.Application:
    """The console's application."""

    async def healthz(_: web.Request) -> web.Response:
        told = await status()
        return web.json_response(dict(told), status=503 if told.get("workers") == 0 else 200)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    return application
