"""Names that experiments, summaries and figures share."""

CONTROL = "random-partition"
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}
