"""The neuron explorer: its data, and the page's template, style and script."""
