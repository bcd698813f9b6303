"""`autoprune serve`: the HTTP service."""

from __future__ import annotations

import gc
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoprune.cli.options import DEFAULT_DB, Artifacts, Db
from autoprune.cli.output import say
from autoprune.errors import InputError
from autoprune.extras import install_command

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE_S = 3
"""How long open answers may go on when the server is told to end."""


def serve(
    db: Db = DEFAULT_DB,
    artifacts: Artifacts = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", help="YAML file of the models and data that may be used."),
    ] = None,
    max_queued: Annotated[
        int, typer.Option("--max-queued", help="Jobs that may wait for a worker.", min=1)
    ] = 100,
) -> None:
    """Serve the trial database over HTTP: submit, watch, change and export jobs."""
    try:
        import uvicorn  # noqa: F401 - so that its lack is told before anything is opened

        from autoprune.api.guarding import is_loopback
        from autoprune.composition.serving import ServerOptions, build_server
    except ModuleNotFoundError as error:
        raise InputError(
            f"the service needs {error.name}, which is not installed: {install_command('server')}"
        ) from error
    app = build_server(ServerOptions(db, artifacts, catalog, max_queued, not is_loopback(host)))
    listener = _listen(host, port)
    _log_to_stderr()
    shown = f"[{host}]" if ":" in host else host
    say(f"listening on http://{shown}:{listener.getsockname()[1]}")
    _run(app, listener)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; name another one "
            "with --host or --port"
        ) from error


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("autoprune").setLevel(logging.INFO)


def _run(app: FastAPI, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        # Who asks is who is connected: a header cannot make another machine this one.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
    )
    # What was imported stays: looked through by each full collection, it would stop all answers
    # for as long.
    gc.collect()
    gc.freeze()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        say("ended")  # the way to end a server is to interrupt it
