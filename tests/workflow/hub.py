"""A web server that stands in for the Hugging Face hub and for TempLAMA's host: what they serve, in miniature."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "hf_of_someone_who_accepted_the_licence"  # noqa: S105


@dataclass
class Served:
    """Repositories by name (folder, revision, whether gated), plain files by path, and the requests that came."""

    repositories: dict[str, tuple[Path, str, bool]]
    files: dict[str, bytes]
    requests: list[str] = field(default_factory=list)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _repository(self, path: str) -> None:
            """``/api/models/{repo}/tree/{revision}`` and ``/{repo}/resolve/{revision}/{file}``."""
            name = next((name for name in served.repositories if f"/{name}/" in f"{path}/"), None)
            if name is None:
                self._answer(404, b"", X_Error_Code="RepoNotFound")
                return
            folder, revision, gated = served.repositories[name]
            if gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, b"", X_Error_Code="GatedRepo")
            elif f"/{revision}" not in path:
                self._answer(404, b"", X_Error_Code="RevisionNotFound")
            elif path.startswith("/api/"):
                files = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _digest(file.read_bytes())}
                    for file in sorted(folder.iterdir())
                ]
                self._answer(200, json.dumps(files).encode(), Content_Type="application/json")
            else:
                body = (folder / path.rsplit("/", 1)[-1]).read_bytes()
                self._answer(200, body, ETag=f'"{_digest(body)}"', X_Repo_Commit=revision)

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            served.requests.append(f"{self.command} {path}")
            if path in served.files:
                self._answer(200, served.files[path])
            else:
                self._repository(path)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def serving(served: Served) -> Iterator[str]:
    """The server's address while the block runs."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
