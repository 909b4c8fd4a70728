"""Files, the schemas of tables, provenance, and the cache."""
