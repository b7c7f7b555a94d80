"""A Prefect server that ends with the process that started it, however that ends: started by `flows.server`."""

import os
import socket
import sys
import threading

HOST = "127.0.0.1"


def of_a_run() -> None:
    """Serve one run on a free port of this machine alone, which is printed; no UI, no schedules."""
    _serve(0, ephemeral=True)


def standing(port: int) -> None:
    """Serve this machine on `port` (0: a free one, which is printed), with the UI and everything that schedules."""
    _serve(port, ephemeral=False)


def _serve(port: int, *, ephemeral: bool) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    own = listener.getsockname()[1]
    # The pages that the browser gets would ask at Prefect's own port.
    os.environ["PREFECT_SERVER_UI_API_URL"] = f"http://{HOST}:{own}/api"

    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=ephemeral, final=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    print(own, flush=True)
    server.run(sockets=[listener])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
