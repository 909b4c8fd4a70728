"""What a study says about the paper: claims, contrasts, headline numbers, model size."""
