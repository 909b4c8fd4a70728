"""The stages: the only modules, with ``dkn.io``, ``dkn.cache`` and the two of sources, that touch files."""
