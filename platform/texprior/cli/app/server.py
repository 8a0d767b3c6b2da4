"""Serves the page to this machine alone; the page itself may ask no other machine for anything."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from texprior.cli.ui_address import HOST
from texprior.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from texprior.cli.app.restoring import Restorer

Message = MutableMapping[str, Any]
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'none'"
)
"""What the browser may load: Gradio's page has scripts in it, and pictures as data; nothing comes from elsewhere."""
END_S = 2
"""Time for open connections to end, s: a page that is open holds one for as long as it is."""


def require_gradio() -> None:
    """Raises ConfigError if Gradio cannot be imported; keeps it from calling home."""
    # read by Gradio when it is imported
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_RUN_HISTORY="False", HF_HUB_DISABLE_TELEMETRY="1")
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        reason = "is not installed" if error.name == "gradio" else f"cannot be imported ({error})"
        raise ConfigError(f"gradio {reason}; pip install 'texprior[app]'") from None


@contextmanager
def free_port(port: int) -> Iterator[socket.socket]:
    """Yields a socket that listens on a port of this machine. Raises ConfigError if the port is in use."""
    with socket.socket() as here:
        # without it, a port counts as busy for a minute after a server on it has ended
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            here.bind((HOST, port))
        except OSError as error:
            reason = error.strerror
            raise ConfigError(f"port {port} of {HOST} cannot be used ({reason}); choose another with --port") from None
        here.listen()
        yield here


@contextmanager
def uploads() -> Iterator[None]:
    """Keeps uploaded and shown pictures in a folder that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="texprior-app-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["GRADIO_TEMP_DIR"]


def application(restorer: Restorer, first: str | None = None, degrade: bool = False) -> FastAPI:
    """Returns the page as an application.

    ``first`` is the first picture; with ``degrade`` it is a clean one, which is degraded first.
    """
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from texprior.cli.app.page import FONTS, STYLE, Page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    theme = gr.themes.Default(font=FONTS[0], font_mono=FONTS[1])
    files = {"allowed_paths": [first] if first else []}
    page = Page(restorer, first, degrade).blocks()
    gr.mount_gradio_app(app, page, "/", server_name=HOST, theme=theme, css=STYLE, ssr_mode=False, pwa=False, **files)
    app.add_middleware(_OwnMachine)
    # a page of another site, whose name leads to this machine, must not read the pictures
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return app


def server_of(app: FastAPI) -> uvicorn.Server:
    """Returns a server for an application, which says nothing but errors."""
    import uvicorn

    how = {"log_level": "error", "access_log": False, "timeout_graceful_shutdown": END_S}
    return uvicorn.Server(uvicorn.Config(app, **how))


def serve(app: FastAPI, here: socket.socket) -> None:
    """Serves an application on a listening socket until Ctrl-C."""
    # uvicorn ends the server at Ctrl-C, and then raises what Ctrl-C raises
    with contextlib.suppress(KeyboardInterrupt):
        server_of(app).run(sockets=[here])


class _OwnMachine:
    """Tells the browser with each answer that the page may ask this server alone."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, sending)
