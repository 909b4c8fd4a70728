"""The experiments: each is a function from a model, facts, neuron sets and settings to a table of records."""
