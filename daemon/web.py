"""HTTP, read-only: the page, /status.json, /metrics, and finished takes under /takes/."""

from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from daemon.metrics import CONTENT_TYPE
from daemon.processes.holder import refused
from daemon.takes.collection import NAME

PAGE = Path(__file__).parent / "page" / "index.html"
_TYPES = {".wav": "audio/wav", ".json": "application/json"}
_EVERYWHERE = ("0.0.0.0", "::")
# Nothing here is for other sites' pages, and nothing comes from elsewhere.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'",
}


def application(
    folders: Sequence[Path],
    state: Callable[[], object],
    metrics: Callable[[], bytes],
    host: str,
) -> web.Application:
    """Return the application; `state` gives what /status.json shows, `metrics` the page's text.

    A take comes from the first of `folders` that has it.
    """

    async def status(request: web.Request) -> web.StreamResponse:
        return web.json_response(state(), headers={**_HEADERS, "Cache-Control": "no-store"})

    async def scrape(request: web.Request) -> web.StreamResponse:
        headers = {**_HEADERS, "Cache-Control": "no-store", "Content-Type": CONTENT_TYPE}
        return web.Response(body=metrics(), headers=headers)

    async def page(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE, headers={**_HEADERS, "Content-Type": "text/html"})

    async def take(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        found = (folder / name for folder in folders if (folder / name).is_file())
        # Only names that the daemon gives: no other file, no other folder.
        path = next(found, None) if NAME.fullmatch(name) else None
        if path is None:
            raise web.HTTPNotFound(text=f"there is no take {name[:80]!r}\n")
        headers = {**_HEADERS, "Content-Type": _TYPES[path.suffix]}
        return web.FileResponse(path, headers=headers)

    app = web.Application(middlewares=[_only_for(host)])
    app.router.add_get("/", page)
    app.router.add_get("/status.json", status)
    app.router.add_get("/metrics", scrape)
    app.router.add_get("/takes/{name}", take)
    return app


def _only_for(host: str) -> Middleware:
    allowed = {host, "127.0.0.1", "localhost"}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A name that some site has made to point here would make its scripts a friend of ours.
        if host not in _EVERYWHERE and request.url.host not in allowed:
            raise web.HTTPForbidden(text=f"allowed hosts: {', '.join(sorted(allowed))}\n")
        return await handler(request)

    return check


async def start(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Serve; the caller cleans the runner up. Raises PortTaken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise refused("tcp", "http", host, port, error) from error
    return runner
