"""What a study says about the paper: its claims, all contrasts, the main numbers, and their growth with model size."""
