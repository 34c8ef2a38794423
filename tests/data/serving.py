"""A publisher on the loopback: files by HTTP, with ranges or without, whole or breaking off."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Publisher:
    """What is served, how badly, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    breaks_after: int | None = None
    """Bytes of a body after which the connection ends, while `patience` lasts."""
    patience: int = 1_000_000
    status: int = 200
    address: str = ""
    asked: list[str | None] = field(default_factory=list)
    """The `Range` of each request."""
    gate: threading.Event | None = None
    """Bodies are sent once this is set."""


def _handler(publisher: Publisher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            publisher.asked.append(wanted)
            body = publisher.files.get(self.path)
            if publisher.status != 200 or body is None:
                self.send_error(404 if body is None else publisher.status)
                return
            begin = 0
            if wanted and publisher.ranges:
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                if begin >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - begin))
            self.end_headers()
            end = len(body)
            if publisher.breaks_after is not None and publisher.patience > 0:
                publisher.patience -= 1
                end = min(end, begin + publisher.breaks_after)
            if publisher.gate is not None:
                publisher.gate.wait(60)
            self.wfile.write(body[begin:end])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serve(**files: bytes) -> Iterator[Publisher]:
    """A publisher of these files at `address/NAME`, as long as the block lasts."""
    publisher = Publisher({f"/{name}": body for name, body in files.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(publisher))
    publisher.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
