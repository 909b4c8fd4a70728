"""What surrounds the jobs of a run: the checks before them, their environment, and the message after them."""
