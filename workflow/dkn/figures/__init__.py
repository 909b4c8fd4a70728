"""The figures: functions (stored records) -> a matplotlib figure and the table it shows. Never a model."""
