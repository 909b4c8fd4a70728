"""The experiments: functions (model, facts, neuron sets, settings) -> records."""
