"""One module per figure of results/figures, the stage that draws it included: from stored records, never a model."""
