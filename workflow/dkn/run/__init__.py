"""What surrounds the jobs of a run: checks before, the environment during, the message after."""
