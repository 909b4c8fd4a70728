"""Where facts come from: JSON-lines files and URLs, as TempLAMA publishes them, and the templates beside them.

Light imports only: the Snakefile checks local sources with this module before the first job.
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
    """A file or URL of JSON lines (gzip is unpacked), and the SHA-256 it must have, if stated.

    On a command line: ``LOCATION`` or ``LOCATION#sha256=HEX``. ``stated`` says where the checksum comes from, unless it
    is the configuration.
    """

    location: str
    sha256: str | None = None
    stated: str = ""

    @classmethod
    def parse(cls, text: str) -> FactsSource:
        location, _, checksum = text.partition("#sha256=")
        return cls(location, checksum or None)

    @property
    def is_url(self) -> bool:
        return self.location.startswith(("http://", "https://"))

    @property
    def name(self) -> str:
        """The file's own name, without its folders."""
        return self.location.rsplit("/", 1)[-1]


def held_to_record(source: FactsSource, recorded: dict[str, str], record: Path) -> FactsSource:
    """A URL without a checksum, with the one that ``record`` has from its first download."""
    first = recorded.get(source.location)
    if source.sha256 or not first:
        return source
    stated = f"as first downloaded; if the new content is meant, take the address out of {record}"
    return FactsSource(source.location, first, stated)


def _download(url: str) -> bytes:
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
    """What a source holds: its text's bytes, unpacked, and the SHA-256 of the file as it came."""

    text: bytes
    sha256: str


def read_source(source: FactsSource) -> Content:
    """Read or download a source, hold it to its checksum, unpack it if gzipped."""
    if source.is_url:
        content = _download(source.location)
    else:
        path = Path(source.location)
        if not path.is_file():
            raise UserError(f"{path}: no such facts file")
        content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if source.sha256 and found != source.sha256:
        stated = f", {source.stated}" if source.stated else ""
        raise UserError(f"{source.location}: sha256 is {found}, expected {source.sha256}{stated}")
    try:
        return Content(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content, found)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{source.location}: broken gzip file ({error})") from None


def read_templates(paths: Sequence[Path]) -> Templates:
    """Relation templates from YAML files; a later file may add relations but not repeat one."""
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
    """All facts of all sources, validated, in the sources' order; and each source's checksum, by its URL or file name.

    Raises:
        UserError: at the first bad line, naming file, line number and cause.
    """
    facts: list[Fact] = []
    seen: dict[str, str] = {}
    checksums: dict[str, str] = {}
    for source in sources:
        content = read_source(source)
        checksums[source.location if source.is_url else source.name] = content.sha256
        try:
            lines = content.text.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            line = content.text.count(b"\n", 0, error.start) + 1
            raise UserError(f"{source.location}:{line}: not UTF-8 text") from None
        for query, subject in read_queries(lines, templates, source.location, seen):
            facts.append(make_fact(query, subject, templates, source.name, seed))
    return facts, checksums
