"""The sources of facts: files and URLs of JSON lines in TempLAMA's schema, and YAML files of templates.

The Snakefile checks local sources with this module before the first job, so it imports nothing that loads slowly.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from dkn.errors import UserError
from dkn.facts.schema import Fact, Templates, make_fact, parse_templates, read_queries

BACKOFF = 1.0  # seconds before the second try of a download; doubled before each further one


@dataclass(frozen=True)
class FactsSource:
    """A source of facts.

    Attributes:
        location: the path or the URL of a file of JSON lines, which may be compressed by gzip.
        sha256: the SHA-256 that the file must have, in hexadecimal digits; None where any content is taken.
        origin: for errors, where the checksum comes from; empty where the configuration states it.
    """

    location: str
    sha256: str | None = None
    origin: str = ""

    @classmethod
    def parse(cls, text: str) -> FactsSource:
        """Return the source that a command line names as ``LOCATION`` or ``LOCATION#sha256=HEX``."""
        location, _, checksum = text.partition("#sha256=")
        return cls(location, checksum or None)

    @property
    def is_url(self) -> bool:
        """Whether the source has to be downloaded."""
        return self.location.startswith(("http://", "https://"))

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.location.rsplit("/", 1)[-1]


def held_to_record(source: FactsSource, recorded: dict[str, str], record: Path) -> FactsSource:
    """Return the source with the checksum of its first download, where it is a URL that states none itself.

    Args:
        recorded: the checksums of first downloads by URL.
        record: the file that has them, for errors.
    """
    first = recorded.get(source.location)
    if source.sha256 or not first:
        return source
    origin = f"as first downloaded; if the new content is meant, take the address out of {record}"
    return FactsSource(source.location, first, origin)


def _download(url: str) -> bytes:
    """Return the content of a URL; a download that fails, or that a busy server refuses, is tried five times more."""
    session = requests.Session()
    retry = Retry(5, backoff_factor=BACKOFF, status_forcelist=[429, 500, 502, 503, 504], raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    try:
        response = session.get(url, timeout=60)
        response.raise_for_status()
    except requests.RequestException as error:
        status = "" if error.response is None else f" {error.response.status_code}"
        raise UserError(
            f"{url}: could not be downloaded ({type(error).__name__}{status}); check the address and the network"
        ) from None
    return response.content


@dataclass(frozen=True)
class Content:
    """The content of a source: the bytes of its text, decompressed, and the SHA-256 of the file before that."""

    text: bytes
    sha256: str


def read_source(source: FactsSource) -> Content:
    """Read or download a source, compare its checksum with the stated one, and decompress it if it is a gzip file.

    Raises:
        UserError: the file does not exist, the download fails, the checksum is another one, or the gzip file is broken.
    """
    if source.is_url:
        content = _download(source.location)
    else:
        path = Path(source.location)
        if not path.is_file():
            raise UserError(f"{path}: no such facts file")
        content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if source.sha256 and actual != source.sha256:
        origin = f", {source.origin}" if source.origin else ""
        raise UserError(f"{source.location}: sha256 is {actual}, expected {source.sha256}{origin}")
    try:
        return Content(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content, actual)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{source.location}: broken gzip file ({error})") from None


def read_templates(paths: Sequence[Path]) -> Templates:
    """Read relation templates from YAML files.

    Raises:
        UserError: a file does not exist, is not YAML in UTF-8, has wrong templates, or repeats a relation of an earlier
            file.
    """
    templates: Templates = {}
    for path in paths:
        try:
            tree = yaml.safe_load(path.read_text())
        except OSError:
            raise UserError(f"{path}: no such templates file") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: not UTF-8 text") from None
        except yaml.YAMLError as error:
            raise UserError(f"{path}: broken YAML: {' '.join(str(error).split())}") from None
        for relation, wording in parse_templates(tree, str(path)).items():
            if relation in templates:
                raise UserError(f"{path}: relation {relation} has templates already")
            templates[relation] = wording
    return templates


def read_facts(sources: Sequence[FactsSource], templates: Templates, seed: int) -> tuple[list[Fact], dict[str, str]]:
    """Read and validate the facts of all sources.

    Args:
        seed: the study's seed, by which facts are split into ``train`` and ``test``.
    Returns:
        The facts in the order of the sources, and each source's checksum by its URL or file name.
    Raises:
        UserError: a source cannot be read, or a line is bad; the error names file, line and cause.
    """
    facts: list[Fact] = []
    first_lines: dict[str, str] = {}
    checksums: dict[str, str] = {}
    for source in sources:
        content = read_source(source)
        checksums[source.location if source.is_url else source.name] = content.sha256
        try:
            lines = content.text.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            line = content.text.count(b"\n", 0, error.start) + 1
            raise UserError(f"{source.location}:{line}: not UTF-8 text") from None
        for query, subject in read_queries(lines, templates, source.location, first_lines):
            facts.append(make_fact(query, subject, templates, source.name, seed))
    return facts, checksums
