"""What a study is: its settings, its experiments, the names they share, and what it costs."""
