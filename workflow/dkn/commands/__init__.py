"""The stages that make neither a figure nor a table: flags in, files out, the work in the library."""
