"""A local web server of facts, and its content."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

RESOURCES = Path(__file__).parents[2] / "resources" / "facts"
CONTENT = "\n".join((RESOURCES / "static.jsonl").read_text().splitlines()[:5]).encode()
PACKED = gzip.compress(CONTENT)


def sha256(content: bytes) -> str:
    """A checksum as the configuration states it."""
    return hashlib.sha256(content).hexdigest()


class Answers(BaseHTTPRequestHandler):
    """Serves the content plain and packed, and with ``/busy`` in front at the third time it is asked for; any other
    address answers with the status it names.
    """

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        known = {"/facts.jsonl": CONTENT, "/facts.jsonl.gz": PACKED}
        if self.path.startswith("/busy"):
            self.asked[self.path] += 1
            self.path = self.path.removeprefix("/busy") if self.asked[self.path] == 3 else "/503"
        body = known.get(self.path, b"no such file")
        self.send_response(200 if self.path in known else int(self.path.strip("/")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve within the context; gives the server's address."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()
    thread.join()
