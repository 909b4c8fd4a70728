"""Integrated gradients of the answer's probability, and the knowledge neurons that they select."""
