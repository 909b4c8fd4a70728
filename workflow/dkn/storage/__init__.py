"""Stored files: reading and writing, the schemas of tables, provenance, and the cache."""
