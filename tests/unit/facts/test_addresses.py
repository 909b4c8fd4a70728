"""Addresses of facts: what of them is shown, and which downloads are taken."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from dkn.errors import UserError
from dkn.facts import addresses
from dkn.facts.addresses import download, file_name, hide_credentials, public, unpacked, whole_address
from tests.unit.one_line import line_of

BODY = b"text " * 2000
PACKED = gzip.compress(BODY)
# Addresses of the test's server: headers and body. A length that is not stated is the body's.
PAGES: dict[str, tuple[dict[str, str], bytes]] = {
    "/plain": ({}, BODY),
    "/encoded": ({"Content-Encoding": "gzip"}, PACKED),
    "/short": ({"Content-Length": str(len(BODY) + 1)}, BODY),
    "/cut-encoded": ({"Content-Encoding": "gzip"}, PACKED[:-20]),
    "/bomb": ({"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 10**7)),
    "/large": ({}, b"x" * 10**6),
    "/deflate": ({"Content-Encoding": "deflate"}, zlib.compress(BODY)),
}


class Pages(BaseHTTPRequestHandler):
    """Serves the pages; ``/loop`` leads to itself, ``/file`` to a local file."""

    def do_GET(self) -> None:
        page = self.path.partition("?")[0]
        if page in ("/loop", "/file"):
            self.send_response(302)
            self.send_header("Location", "/loop" if page == "/loop" else "file:///etc/hostname")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        headers, body = PAGES.get(page, ({}, b""))
        self.send_response(200 if body else 503)
        for name, value in {"Content-Length": str(len(body)), "Retry-After": "100000", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """The address of the server, without its scheme."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, no_proxy: None) -> None:
    monkeypatch.setattr(addresses, "BACKOFF", 0)
    monkeypatch.setattr(addresses, "LARGEST", 500_000)


@pytest.mark.parametrize("page", ["/plain", "/encoded", "/plain?token=secret"])
def test_whole_downloads_are_taken(page: str, pages: str) -> None:
    assert download(f"http://user:secret@{pages}{page}") == BODY


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("/short", "cut short"),
        ("/cut-encoded", "broken gzip file (cut short)"),
        ("/bomb", "unpacks to more than 500,000 bytes"),
        ("/large", "more than 500,000 bytes"),
        ("/deflate", "'deflate'"),
        ("/busy", "503"),
        ("/loop", "TooManyRedirects"),
        ("/file", "of no known kind"),
    ],
)
def test_other_downloads_are_one_line_without_credentials(
    page: str, cause: str, pages: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that asks to wait for a day is asked again at once."""
    with pytest.raises(UserError) as caught:
        download(f"http://user:secret@{pages}{page}?token=secret")
    assert line_of(caught).startswith(f"http://***@{pages}{page}?token=***: ")
    assert cause in line_of(caught)
    assert "secret" not in line_of(caught) + caplog.text


@pytest.mark.parametrize(
    ("start", "target", "taken"),
    [
        ("https://a.org/x", "https://b.org/x", True),
        ("https://a.org/x", "/y", True),
        ("https://a.org/x", "//b.org/y", True),
        ("https://a.org/x", "http://a.org/x", False),
        ("https://a.org/x", "HTTP://a.org/x", False),
        ("https://a.org/x", "ftp://a.org/x", False),
        ("http://a.org/x", "http://b.org/x", True),
        ("http://a.org/x", "https://b.org/x", True),
    ],
)
def test_no_redirect_leads_from_https_to_http(start: str, target: str, taken: bool) -> None:
    response = requests.Response()
    response.status_code, response.url, response.headers["Location"] = 302, start, target
    session = addresses._Session()
    if taken:
        assert session.get_redirect_target(response) == target
    else:
        with pytest.raises(requests.exceptions.InvalidSchema):
            session.get_redirect_target(response)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("data/user:secret@a?token=b.jsonl", "data/user:secret@a?token=b.jsonl"),
        ("https://a.org/b@1.0/c.gz", "https://a.org/b@1.0/c.gz"),
        ("https://a.org:8080/c.gz?download=1&id=7", "https://a.org:8080/c.gz?download=1&id=7"),
        ("https://[::1]:80/c.gz", "https://[::1]:80/c.gz"),
        ("https://me:pa@ss@a.org/c.gz", "https://***@a.org/c.gz"),
        ("https://ghp_x@a.org", "https://***@a.org"),
        ("https://me:pa/ss@a.org/c.gz", "https://***"),
        (
            "https://a.org/c?access_token=x;id=7&X-Amz-Signature=y",
            "https://a.org/c?access_token=***;id=7&X-Amz-Signature=***",
        ),
        ("https://a.org/c?t=abcdefghij0123456789", "https://a.org/c?t=***"),
        ("https://a.org/c?abcdefghij0123456789", "https://a.org/c?***"),
        ("https://a.org/c#access_token=x", "https://a.org/c#access_token=***"),
    ],
)
def test_credentials_are_cut_from_addresses(location: str, shown: str) -> None:
    assert public(location) == shown
    assert public(shown) == shown


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("https://a.org/b/c.gz?token=x/y#z", "c.gz"),
        ("https://me:x@a.org", ""),
        ("b/facts#1?.jsonl", "facts#1?.jsonl"),
    ],
)
def test_a_files_name_has_no_credentials(location: str, name: str) -> None:
    assert file_name(location) == name


def test_jobs_get_whole_addresses_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(addresses.WHOLE_ADDRESSES, "")
    whole, short = "https://me:secret@a.org/c?key=secret", "https://***@a.org/c?key=***"
    sources = [SimpleNamespace(url=whole), SimpleNamespace(path="x.jsonl"), SimpleNamespace(url="https://b.org/d")]
    entries = [{"url": whole}, {"path": "x.jsonl"}, {"url": "https://b.org/d"}]
    hide_credentials(sources, entries)
    assert "secret" not in repr((sources, entries))
    assert entries == [{"url": short}, {"path": "x.jsonl"}, {"url": "https://b.org/d"}]
    assert [whole_address(place) for place in (short, "x.jsonl", "https://b.org/d")] == [
        *(whole, "x.jsonl", "https://b.org/d")
    ]
    with pytest.raises(UserError) as caught:
        hide_credentials([SimpleNamespace(url=f"https://a.org/c?key={n}") for n in range(2)], [])
    assert line_of(caught).endswith(": https://a.org/c?key=***")


def test_gzip_members_and_fill_bytes_are_unpacked() -> None:
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b") + b"\0" * 9, "x") == b"ab"
    assert json.loads(unpacked(gzip.compress(b"{}"), "x")) == {}
