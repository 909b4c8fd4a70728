"""Facts, their wordings, and samples of them."""
