"""Degenerate knowledge neurons: the library behind the workflow.

Pure functions over arrays, tables and a loaded model. Files are touched by ``dkn.commands`` and ``dkn.io`` only.
"""
