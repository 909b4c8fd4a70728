"""Folders of weights: where they come from, which families are supported, and nano models trained here."""
