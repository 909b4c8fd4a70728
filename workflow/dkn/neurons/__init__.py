"""Sets of neurons, and what can be done to them: suppress, enhance, train."""
