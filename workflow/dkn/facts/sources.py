"""The sources of facts: files and URLs of JSON lines in TempLAMA's schema, and YAML files of templates.

The Snakefile checks local sources with this module before the first job, so it imports nothing that loads slowly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dkn.errors import UserError
from dkn.facts.addresses import LARGEST, download, file_name, is_url, public, unpacked
from dkn.facts.schema import Fact, Templates, make_fact, parse_templates, read_queries, with_answers_of
from dkn.facts.template_files import template_tree


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
        found = re.fullmatch("(.*)#sha256=([0-9a-f]*)", text, re.S)
        return cls(found[1], found[2] or None) if found else cls(text)

    @property
    def is_url(self) -> bool:
        """Whether the source has to be downloaded."""
        return is_url(self.location)

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return file_name(self.location)

    @property
    def public(self) -> str:
        """The path, or the URL without credentials."""
        return public(self.location)


def held_to_record(source: FactsSource, recorded: dict[str, str], record: Path) -> FactsSource:
    """Return the source with the checksum of its first download, where it is a URL that states none itself.

    Args:
        recorded: the checksums of first downloads by URL without credentials.
        record: the file that has them, for errors.
    """
    first = recorded.get(source.public)
    if source.sha256 or not first:
        return source
    origin = f"as first downloaded; if the new content is meant, take the address out of {record}"
    return FactsSource(source.location, first, origin)


@dataclass(frozen=True)
class Content:
    """The content of a source: the bytes of its text, decompressed, and the SHA-256 of the file before that."""

    text: bytes
    sha256: str


def read_source(source: FactsSource) -> Content:
    """Read or download a source, compare its checksum with the stated one, and decompress it if it is a gzip file.

    Raises:
        UserError: the file does not exist or is too large, the download fails, the checksum is another one, or the
            gzip file is broken.
    """
    content = download(source.location) if source.is_url else _local(Path(source.location))
    actual = hashlib.sha256(content).hexdigest()
    if source.sha256 and actual != source.sha256:
        origin = f", {source.origin}" if source.origin else ""
        raise UserError(f"{source.public}: sha256 is {actual}, expected {source.sha256}{origin}")
    return Content(unpacked(content, source.public) if content[:2] == b"\x1f\x8b" else content, actual)


def _local(path: Path) -> bytes:
    """Return the content of a file."""
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such facts file")
        size = path.stat().st_size
        if size > LARGEST:
            raise UserError(f"{path}: has {size:,} bytes; no facts file is larger than {LARGEST:,}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: the facts file cannot be read ({error.strerror})") from None


def read_templates(paths: Sequence[Path]) -> Templates:
    """Read relation templates from YAML files.

    Raises:
        UserError: a file does not exist, is not YAML in UTF-8, has wrong templates, or repeats a relation of an earlier
            file.
    """
    templates: Templates = {}
    for path in paths:
        tree = template_tree(path)
        for relation, wording in parse_templates(tree, str(path)).items():
            if relation in templates:
                raise UserError(f"{path}: relation {relation} has templates already")
            templates[relation] = wording
    return templates


def read_facts(
    sources: Sequence[FactsSource], templates: Templates, seed: int, joined: list[str] | None = None
) -> tuple[list[Fact], dict[str, str]]:
    """Read and validate the facts of all sources.

    Where two queries ask the same question, with the same relation, subject and date, they become one fact, which has
    the id of the first and accepts the answers of both: TempLAMA has two towns called Portland, and either mayor is a
    right answer to the question as it is asked.

    Args:
        seed: the study's seed, by which facts are split into ``train`` and ``test``.
        joined: a list to which a line is added for every query that became part of an earlier one.
    Returns:
        The facts in the order of the sources, and each source's checksum by its URL, without credentials, or by its
        file name.
    Raises:
        UserError: a source cannot be read, or a line is bad; the error names file, line and cause.
    """
    facts: dict[tuple[str, str, str | None], Fact] = {}
    first_lines: dict[str, str] = {}
    checksums: dict[str, str] = {}
    for source in sources:
        content = read_source(source)
        checksums[source.public if source.is_url else _free_name(source.name, checksums)] = content.sha256
        try:
            lines = content.text.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            line = content.text.count(b"\n", 0, error.start) + 1
            raise UserError(f"{source.public}:{line}: not UTF-8 text") from None
        for query, subject in read_queries(lines, templates, source.public, first_lines):
            fact = make_fact(query, subject, templates, source.name, seed)
            question = (fact.relation, fact.subject, fact.date)
            first = facts.setdefault(question, fact)
            if first is not fact:
                facts[question] = with_answers_of(first, fact)
                if joined is not None:
                    places = (first_lines[fact.fact_id], first_lines[first.fact_id])
                    joined.append("{} asks the question of {}; its answers are joined".format(*places))
    return list(facts.values()), checksums


def _free_name(name: str, taken: dict[str, str]) -> str:
    """Return the name, with a number behind it where an earlier source has it already."""
    number = 1
    while (free := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return free
