"""The gateway: an app that answers with the version that the pointer names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from fastapi import FastAPI

import sluice.serving.admin_api as admin_api
import sluice.serving.chat_api as chat_api
import sluice.serving.feedback_api as feedback_api
from sluice.serving.admin_token import admin_token
from sluice.serving.body_limit import BodyLimit
from sluice.serving.engine import Engine
from sluice.serving.error_shape import add_error_handlers
from sluice.serving.request_log import RequestLog
from sluice.serving.settings import GatewaySettings
from sluice.serving.state import GatewayState, Line
from sluice.serving.versions import Versions


def create_app(settings: GatewaySettings, engine: Engine) -> FastAPI:
    """The gateway's app. It loads what the pointer names once it runs, and answers meanwhile.

    Raises:
        ServingError: the home's pointer or token cannot be read.
    """
    folder = settings.home_layout.serving
    versions = Versions(engine, folder, settings.smoke_question)

    @contextlib.asynccontextmanager
    async def running(app: FastAPI) -> AsyncGenerator[None]:
        restoring = asyncio.create_task(versions.restore())
        yield
        restoring.cancel()
        await asyncio.gather(restoring, return_exceptions=True)
        await engine.close()

    # No documentation pages: they fetch scripts from the internet. /openapi.json stays.
    app = FastAPI(title="Sluice gateway", lifespan=running, docs_url=None, redoc_url=None)
    requests = RequestLog(folder) if settings.log_requests else None
    token = admin_token(folder)
    app.state.gateway = GatewayState(settings, engine, versions, token, Line(), requests)
    app.add_middleware(BodyLimit)
    add_error_handlers(app)
    app.include_router(chat_api.router)
    app.include_router(feedback_api.router)
    app.include_router(admin_api.router)
    return app
