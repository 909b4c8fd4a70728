"""Degenerate knowledge neurons: the library behind the workflow.

Most of it consists of pure functions over arrays, tables and a loaded model. The stages in ``dkn.commands``,
``dkn.figures`` and ``dkn.tables`` read and write the files of a study, through ``dkn.storage``.
"""
