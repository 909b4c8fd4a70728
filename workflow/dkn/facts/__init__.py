"""Facts: where they come from, their wordings, and samples of them."""
