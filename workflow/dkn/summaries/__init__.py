"""The summaries: estimates and contrasts with intervals, from the records of the experiments."""
