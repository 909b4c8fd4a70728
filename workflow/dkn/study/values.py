"""The kinds of values that the configuration's schema is made of: sections, bounded numbers, and plain paths.

Every number has a largest value, so that no typing error keeps a machine busy for days.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dkn.validation_messages import shown

LONGEST_NAME = 255  # bytes of a file's name, on all common file systems
# Texts by which people say null, where `--config` or quotes made them text.
NULL_AS_TEXT = ("null", "Null", "NULL", "none", "None", "~")

Share = Annotated[float, Field(ge=0, le=1)]
FactCount = Annotated[int, Field(ge=1, le=10_000_000)]
Repeats = Annotated[int, Field(ge=1, le=1_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Batch = Annotated[int, Field(ge=1, le=100_000)]
Gpus = Annotated[int, Field(ge=1, le=64)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A part of the configuration; unknown keys and loose types are errors.

    Every field has a description: docs/configuration.md and config/schema.json are written from them.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def not_null_as_text(text: str) -> str:
    """Return a text, or raise where it is a word for null, which nobody means as a name."""
    if text in NULL_AS_TEXT:
        raise ValueError(f"must be a name, not a word for null (found {text!r})")
    return text


def plain_name(text: str) -> str:
    """Return a name as facts files have it, in Unicode's composed form with single spaces; null as text is an error."""
    return not_null_as_text(" ".join(unicodedata.normalize("NFC", text).split()))


def plain_path(text: str) -> str:
    """Return a path in its plain form, without ``./``, double and trailing slashes; nothing in it is expanded.

    Raises:
        ValueError: the path has a name that Snakemake, a shell or the file system takes for something else.
    """
    parts = [part for part in text.split("/") if part not in ("", ".")]
    first = parts[0] if parts and not text.startswith("/") else ""
    if text != text.strip():
        raise ValueError(f"must not begin or end with a space (found {shown(text)})")
    if "{" in text or "}" in text:
        raise ValueError(f"must hold neither {{ nor }}, between which Snakemake reads a wildcard (found {shown(text)})")
    if "://" in text:
        raise ValueError(f"must be a path, not an address (found {shown(text)})")
    if first.startswith("~"):
        raise ValueError(f"must not begin with ~, which is not expanded; write the whole path (found {shown(text)})")
    if first.startswith("-"):
        raise ValueError(f"must not begin with -, by which commands tell a flag (found {shown(text)})")
    not_null_as_text(text)
    if any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise ValueError(f"must not hold a name of more than {LONGEST_NAME} bytes")
    return ("/" if text.startswith("/") else "") + "/".join(parts) or "."


PlainPath = Annotated[
    str, Field(min_length=1, max_length=1000, json_schema_extra={"format": "path"}), AfterValidator(plain_path)
]
