"""Addresses of facts on the web: what of them may be shown and recorded, and how their content is downloaded.

An address may hold credentials: a user and a password before the host, or tokens in its query. These reach the server
and nothing else: the workflow asks with the address without them, which is in logs, commands and records, and an
environment variable has the whole one.
"""

from __future__ import annotations

import json
import logging
import os
import re
import zlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Retry

from dkn.errors import UserError
from dkn.facts.text import shown

BACKOFF = 1.0  # seconds before the second try of a download; doubled before each further one
LARGEST = 256 * 2**20  # bytes of a source, packed or unpacked; TempLAMA's three files together have about 15 million
TIMEOUT = 60  # seconds without an answer
CHUNK = 2**16
CUT = "***"  # stands for what is cut from an address
WHOLE_ADDRESSES = "DKN_FACTS_ADDRESSES"  # the environment variable: whole addresses by those without credentials
_SCHEMES = ("http://", "https://")
# Names of parameters whose values are secrets, as services call them, and values that look like secrets themselves.
_SECRET_NAME = re.compile(r"token|key|secret|pass|pwd|sig|auth|cred|session|access|jwt|sas|code|user|login", re.I)
_SECRET_VALUE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[^.]{20,}")
_GZIP = b"\x1f\x8b"


def is_url(location: str) -> bool:
    """Tell whether the location of a source is an address on the web."""
    return location.startswith(_SCHEMES)


def _public_parameter(parameter: str) -> str:
    """Return one ``name=value`` of a query, or its name alone where the value may be a secret."""
    name, equals, value = parameter.partition("=")
    if not equals:
        return CUT if _SECRET_VALUE.fullmatch(name) else parameter
    return f"{name}={CUT}" if _SECRET_NAME.search(name) or _SECRET_VALUE.fullmatch(value) else parameter


def public(location: str) -> str:
    """Return the location of a source without credentials, for errors, logs and records; a path stays as it is."""
    if not is_url(location):
        return location
    scheme, _, rest = location.partition("://")
    place, mark, query = re.fullmatch(r"([^?#]*)([?#]?)(.*)", rest, re.S).groups()  # type: ignore[union-attr]
    host, slash, path = place.partition("/")
    if "@" in host:
        host = f"{CUT}@{host.rpartition('@')[2]}"
    elif re.search(r":(?!\d*$)(?!.*\])", host):  # no port: the start of a password with a slash in it
        host, slash, path = CUT, "", ""
    query = "".join(_public_parameter(part) if part not in "&;#" else part for part in re.split("([&;#])", query))
    return f"{scheme}://{host}{slash}{path}{mark}{query}"


def hide_credentials(sources: Iterable[Any], entries: Iterable[Any]) -> None:
    """Cut the credentials from the addresses of a study's sources, and pass them to jobs by the environment.

    Args:
        sources: the study's sources of facts; those with an attribute ``url`` change in place.
        entries: the same sources as dictionaries of the configuration, which change in place too.
    Raises:
        UserError: two different addresses are the same without credentials.
    """
    whole: dict[str, str] = {}
    for source in sources:
        if url := getattr(source, "url", None):
            source.url = public(url)
            if whole.setdefault(source.url, url) != url:
                raise UserError(f"facts.sources: two addresses differ only in what records leave out: {source.url}")
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            entry["url"] = public(entry["url"])
    os.environ[WHOLE_ADDRESSES] = json.dumps({short: url for short, url in whole.items() if short != url})


def whole_address(location: str) -> str:
    """Return the location of a source with the credentials that ``hide_credentials`` took from it."""
    return json.loads(os.environ.get(WHOLE_ADDRESSES) or "{}").get(location, location)


def file_name(location: str) -> str:
    """Return the name of the file at a location, without folders; of an address also without its query."""
    if is_url(location):
        location = re.split("[?#]", location, maxsplit=1)[0].split("://", 1)[1]
        return location.rsplit("/", 1)[1] if "/" in location else ""
    return location.rsplit("/", 1)[-1]


def unpacked(packed: bytes, name: str) -> bytes:
    """Return the content of a gzip file, which may have several members.

    Args:
        packed: the file.
        name: its name, for errors.
    Raises:
        UserError: the file is broken or cut short, or has more than ``LARGEST`` bytes when it is unpacked.
    """
    parts: list[bytes] = []
    size = 0
    while packed:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            parts.append(member.decompress(packed, LARGEST - size + 1))
        except zlib.error as error:
            raise UserError(f"{name}: broken gzip file ({error})") from None
        size += len(parts[-1])
        if size > LARGEST:
            raise UserError(f"{name}: unpacks to more than {LARGEST:,} bytes; no facts file is that large")
        if not member.eof:
            raise UserError(f"{name}: broken gzip file (cut short)")
        packed = member.unused_data.lstrip(b"\0")  # zeros may fill up the last block
    return b"".join(parts)


class _Session(requests.Session):
    """A session that follows no redirect from an encrypted address to one that is not."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https://") and not urljoin(resp.url, target).startswith("https://"):
            raise requests.exceptions.InvalidSchema("redirect from https to http")
        return target


def _body(response: requests.Response, name: str) -> bytes:
    """Return the bytes of an answer, as they were before the server encoded them.

    They are decoded here, because the library takes a gzip stream that ends too early for a whole one. An answer with
    fewer bytes than it announced is an error of the library's own, a ``ProtocolError``.
    """
    response.raw.enforce_content_length = True
    parts: Iterable[bytes] = response.raw.stream(CHUNK, decode_content=False)
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > LARGEST:
            raise UserError(f"{name}: has more than {LARGEST:,} bytes; no facts file is that large")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return unpacked(bytes(content), name)
    if encoding not in ("", "identity"):
        raise UserError(f"{name}: the server sends the encoding {shown(encoding)!r}, which was not asked for")
    return bytes(content)


def download(url: str) -> bytes:
    """Return the content of a URL; a download that fails, or that a busy server refuses, is tried five times more.

    Raises:
        UserError: the server refuses or cannot be reached, leads from https to http, or sends less than it announced
            or more than ``LARGEST`` bytes.
    """
    name = public(url)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings about further tries show the whole address
    retry = Retry(
        total=5,
        backoff_factor=BACKOFF,
        status_forcelist=[429, 500, 502, 503, 504],
        raise_on_status=False,
        respect_retry_after_header=False,  # a server may ask for hours
    )
    with _Session() as session:
        for scheme in _SCHEMES:
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        try:
            with session.get(url, timeout=TIMEOUT, stream=True, headers={"Accept-Encoding": "identity"}) as response:
                response.raise_for_status()
                return _body(response, name)
        except requests.exceptions.InvalidSchema:
            raise UserError(
                f"{name}: leads to an address that is not encrypted or of no known kind; give the final address"
            ) from None
        except ProtocolError:
            raise UserError(f"{name}: the download was cut short; try again") from None
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            answer = getattr(error, "response", None)
            status = "" if answer is None else f" {answer.status_code}"
            raise UserError(
                f"{name}: could not be downloaded ({type(error).__name__}{status}); check the address and the network"
            ) from None
