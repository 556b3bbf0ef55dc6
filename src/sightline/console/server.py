"""`sightline serve`."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import threading
from types import FrameType
from typing import TYPE_CHECKING

from sightline.console.catalogue import pull_cards
from sightline.errors import InvalidOption, Unavailable
from sightline.models.store import Store
from sightline.serving import logs
from sightline.serving.arenas import limit_arenas
from sightline.settings import Settings
from sightline.tasks import registry

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sightline.serving.runtime import Runtime

log = logging.getLogger("sightline")

BACKLOG = 4096
"""Connections that may wait to be accepted (the system may allow fewer: net.core.somaxconn)."""


def run(names: tuple[str, ...], host: str, port: int, settings: Settings, *, pull: bool, insecure: bool) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. A name is a task, or TASK=MODEL.

    Raises `InvalidOption`, `UnknownTask`, `Unavailable`, and what pulling raises.
    """
    chosen = dict(name.partition("=")[::2] for name in names)
    names = tuple(chosen)
    for name in names:
        registry.recipe(name)
    if not _is_loopback(host) and settings.api_key is None and not insecure:
        raise InvalidOption(
            f"{host} is reachable from other machines: set --api-key, or say --insecure to go without one"
        )
    if pull:
        # A named task has to be whole; without names, what cannot be pulled is not served, and the log says so.
        pull_cards(names or registry.DEFAULTS, settings, strict=bool(names))
    store = Store(settings, pull=False)
    for name, model in chosen.items():
        if model:
            registry.choose(name, store, model=model)
            continue
        reason = registry.missing(name, store)
        if reason:
            raise Unavailable(f"{name} cannot be served: {reason}; `sightline models pull {name}`, or add --pull")
    start_log(settings)

    from sightline.protocols.app import create_app
    from sightline.serving import profile
    from sightline.serving.runtime import Runtime

    settings = profile.follow(settings)
    listener = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    log.info("Sightline listens on http://%s:%d  (API: /docs, stop: Ctrl+C)", shown, listener.getsockname()[1])
    runtime = Runtime(settings, store=store, models=chosen)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=_reload, args=(runtime,), daemon=True).start())
    answer(create_app(runtime, names), listener, settings)


def start_log(settings: Settings) -> None:
    """Write the log of a server, its libraries held to what is worth reading; and hold its memory together, before
    there are threads."""
    limit_arenas()
    logs.configure(settings.log_format)
    # A malformed form is the client's error, which the reply tells; it is no warning of this server.
    for library, level in (("httpx", "WARNING"), ("uvicorn", "WARNING"), ("python_multipart", "ERROR")):
        logging.getLogger(library).setLevel(level)


def answer(app: FastAPI, listener: socket.socket, settings: Settings) -> None:
    """Answer at `listener`, within the settings' limits, until SIGTERM or SIGINT; what is in flight is finished."""
    import uvicorn

    from sightline.serving.connection import allow_connections, limited

    config = uvicorn.Config(
        app,
        http=limited(settings.header_seconds, allow_connections(settings.max_connections)),
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.grace_seconds),
    )

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            log.info("stopping: what is in flight may take %g s more", settings.grace_seconds)
            super().handle_exit(sig, frame)

    # uvicorn raises the signal once more when it is done: without a handler that would end the process by it
    # instead of with exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    Server(config).run(sockets=[listener])


def _reload(runtime: Runtime) -> None:
    """Swap the models that changed on disk. What fails is logged, and the old models go on."""
    try:
        changed = runtime.reload()
    except Exception as error:
        log.error("not reloaded: %s", error)
    else:
        log.info("reloaded: %s", ", ".join(changed) or "nothing changed")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A bound socket: the port is ours before any model is loaded, and 0 becomes a real number to print."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return listener
