"""The stages that make neither figures nor tables: each reads files, calls the library, and writes files."""
