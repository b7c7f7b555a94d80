"""A Prefect server for one run: ends with the process that started it, however that ends."""

import os
import socket
import sys
import threading


def main() -> None:
    """Serve on a free port of this machine alone, which is printed; until standard input ends."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True, final=True), log_level="error", lifespan="on"))
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
