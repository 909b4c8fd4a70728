"""Integrated gradients, and the knowledge neurons they give."""
