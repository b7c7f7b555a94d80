"""A web server on this machine that behaves as badly as the real ones do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Served:
    """What one path answers, and how."""

    content: bytes = b""
    status: int = 200
    ranges: bool = True
    tag: str | None = '"one"'
    says_length: bool = True
    location: str | None = None
    drop_after: int | None = None
    """Bytes of a body after which the connection is cut."""
    part: int | None = None
    """Bytes that the answer to a range request has at most, as it says itself."""
    says_range: bool = True
    encoding: str | None = None
    wrong_start: bool = False
    """Answers a range request with a part that starts elsewhere."""
    then: "Served | None" = None
    """What the path answers from the next request on."""


@dataclass(frozen=True)
class Request:
    """One request as it came in, and what went out."""

    path: str
    range: str | None
    if_range: str | None
    encoding: str | None
    sent: int


@dataclass
class Loopback:
    """The server: put what it serves into `files`, by path; read from `requests` what it was asked."""

    address: str = ""
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def serve(self, path: str, content: bytes = b"", **how: Any) -> str:
        """Serve `content` at `path`; returns the address."""
        self.files[path] = Served(content, **how)
        return f"{self.address}{path}"

    def sent(self, path: str) -> int:
        """Bytes of bodies that went out."""
        return sum(request.sent for request in self.requests if request.path == path)

    def asked(self, path: str) -> list[str | None]:
        """The Range header of each request."""
        return [request.range for request in self.requests if request.path == path]


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A server for as long as the block lasts."""
    site = Loopback()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(site: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served = site.files.get(self.path, Served(status=404))
            if served.then is not None:
                site.files[self.path] = served.then
            status, first, body = self.answer(served)
            length = len(body)
            if served.drop_after is not None:
                body = body[: served.drop_after]
            sent = len(body) if status < 300 else 0
            head = self.headers
            asked = head.get("Range"), head.get("If-Range"), head.get("Accept-Encoding")
            site.requests.append(Request(self.path, *asked, sent))
            self.send_response(status)
            self.send_head(served, status, first, length)
            self.wfile.write(body)

        def answer(self, served: Served) -> tuple[int, int, bytes]:
            """Status, first byte and body."""
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            current = self.headers.get("If-Range") in (None, served.tag)
            if served.status != 200 or served.location or not (match and served.ranges and current):
                return 302 if served.location else served.status, 0, served.content
            first = 0 if served.wrong_start else int(match[1])
            if first >= len(served.content):
                return 416, 0, b""
            return 206, first, served.content[first:][: served.part]

        def send_head(self, served: Served, status: int, first: int, length: int) -> None:
            if served.location:
                self.send_header("Location", served.location)
            if served.tag:
                self.send_header("ETag", served.tag)
            if served.says_length:
                self.send_header("Content-Length", str(length))
            if served.encoding:
                self.send_header("Content-Encoding", served.encoding)
            if status == 206 and served.says_range:
                self.send_header("Content-Range", f"bytes {first}-{first + length - 1}/{len(served.content)}")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def and_then(*served: Served) -> Served:
    """Each answer once, the last for ever."""
    first, *rest = served
    return replace(first, then=and_then(*rest)) if rest else first
