"""The application: routes, and what every request passes on its way to them."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import APIKeyHeader
from starlette.middleware.cors import CORSMiddleware

from mainstem import __version__
from mainstem.api import (
    browsing,
    catalog,
    configs,
    connections,
    console,
    docs_page,
    documents,
    forms,
    live,
    metrics,
    monitor,
    planning,
    problems,
    replications,
    rows,
    sessions,
    streams,
    system,
)
from mainstem.api.browsers import Browsers
from mainstem.api.guard import BASE, KeyGuard, Lenient, RequestIds
from mainstem.api.pages import Pages
from mainstem.api.services import Services
from mainstem.api.traced import Traced

LOOPBACK_ORIGINS = "loopback"
_LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_HEADERS = ["X-API-Key", "X-Install-ID", "X-Confirm-Delete", "X-Request-ID", "Content-Type", "Idempotency-Key"]
# `KeyGuard` looks at the key before anything else; here the header is for the document's sake.
_documented_key = APIKeyHeader(name="X-API-Key", auto_error=False)


def make_app(services: Services) -> FastAPI:
    """The API over these services."""
    app = FastAPI(
        title="Mainstem",
        version=__version__,
        description="Database migration and replication: connections, stream configs and streams.",
        docs_url=None,
        redoc_url=None,
        default_response_class=problems.Json,
        redirect_slashes=False,
        responses=documents.problem_responses(),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its spans have paths, queries and messages
        generate_unique_id_function=lambda route: f"{(route.tags or ['other'])[0]}_{route.name}",
    )
    app.state.services = services
    guarded = APIRouter(prefix=BASE, dependencies=[Depends(_documented_key)])
    for module in (
        forms,
        planning,
        connections,
        catalog,
        browsing,
        rows,
        configs,
        console,
        monitor,
        streams,
        replications,
        metrics,
        system,
        sessions,
    ):
        guarded.include_router(module.router)
    for router in (system.open_router, sessions.open_router, live.router):
        app.include_router(router, prefix=BASE)
    app.include_router(guarded)
    app.get("/docs", include_in_schema=False)(docs_page.docs)
    # where probes look for them
    app.get("/health", include_in_schema=False)(system.health)
    app.get("/ready", include_in_schema=False)(system.ready)
    app.get("/metrics", include_in_schema=False)(metrics.metrics)
    problems.install(app)
    documents.complete(app)
    _add_middleware(app, services)
    return app


def make_probed_app(services: Services) -> FastAPI:
    """What a process without role api serves: whether it lives and is ready, and its figures."""
    app = FastAPI(
        title="Mainstem", version=__version__, docs_url=None, redoc_url=None, openapi_url=None,
        default_response_class=problems.Json, redirect_slashes=False,
    )  # fmt: skip
    app.state.services = services
    for path, answer in (("/health", system.health), ("/ready", system.ready), ("/metrics", metrics.metrics)):
        for prefix in ("", BASE):
            app.get(prefix + path)(answer)
    problems.install(app)
    _add_middleware(app, services)
    return app


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The last one added is the first to see a request."""
    browsers = Browsers(services.sessions, services.cookie, services.hosts)
    app.add_middleware(KeyGuard, keys=services.keys, browsers=browsers, open_live=services.open_live)
    app.add_middleware(Pages, browsers=browsers)
    app.add_middleware(Lenient)
    app.add_middleware(RequestIds, away=services.store.away)
    app.add_middleware(Traced)
    origins = services.cors_origins
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin for origin in origins if origin != LOOPBACK_ORIGINS],
        allow_origin_regex=_LOOPBACK if LOOPBACK_ORIGINS in origins else None,
        allow_methods=["*"],
        allow_headers=_HEADERS,
        expose_headers=["X-Cache", "X-Request-ID"],
    )
