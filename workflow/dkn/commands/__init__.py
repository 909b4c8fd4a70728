"""The stages: the only modules, with ``dkn.io`` and ``dkn.sources``, that touch files."""
