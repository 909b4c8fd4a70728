"""A loaded model cut into steps: prompts are read once, and many branches start from what was read."""
