"""Models on disk: where their weights come from, which families are supported, and the training of nano models."""
