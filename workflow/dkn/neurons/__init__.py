"""Sets of neurons, and the interventions on them: suppression, enhancement and training."""
