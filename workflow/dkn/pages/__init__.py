"""The neuron explorer: the data of its page, and the page's template, style and script."""
