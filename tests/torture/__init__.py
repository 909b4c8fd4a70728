"""The study under fire: kills, damaged files, configurations, facts and paths, drawn by a seed (``make torture``)."""
