"""A web server that keeps nothing: a photo is posted, the anonymized one comes back (422 with the reason if it cannot).

python examples/upload.py 8080
curl --data-binary @street.jpg http://127.0.0.1:8080 --output anonymized.jpg
"""

import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

from falco_core.anonymizer import Anonymizer

LARGEST = 50 * 2**20
"""Bytes of an upload."""


class Handler(BaseHTTPRequestHandler):
    """Answers posted photos."""

    def __init__(self, anonymizer: Anonymizer, *args: object) -> None:
        self._anonymizer = anonymizer
        super().__init__(*args)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        """Anonymize the body."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= LARGEST:
            self.send_error(413 if length else 411)
            return
        result = self._anonymizer.photo(self.rfile.read(length))
        body = result.data if result.data is not None else f"{result.reason}: {result.detail}\n".encode()
        self.send_response(200 if result.data is not None else 422)
        self.send_header("Content-Type", f"image/{result.format.lower()}" if result.data is not None else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def server(port: int, anonymizer: Anonymizer) -> HTTPServer:
    """The server, on this machine only: it has no encryption and knows nobody's password."""
    return HTTPServer(("127.0.0.1", port), partial(Handler, anonymizer))


if __name__ == "__main__":
    server(int(sys.argv[1]), Anonymizer("mini")).serve_forever()
