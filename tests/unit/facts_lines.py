"""Lines of facts files."""

from __future__ import annotations

import json
from typing import Any


def line(subject: str = "Jane Doe", answer: str = "Arsenal", wikidata_id: str | None = "Q1", **changes: Any) -> str:
    """A good line of relation P54 in 2012, with some fields changed."""
    entity = {"wikidata_id": wikidata_id, "name": answer}
    fields = {
        "query": f"{subject} plays for _X_.",
        "answer": [entity],
        "date": "2012",
        "id": "jane_P54_2012",
        "relation": "P54",
        "most_frequent_answer": entity,
        "most_recent_answer": entity,
    }
    return json.dumps({**fields, **changes}, ensure_ascii=False)
