"""The figures of results/figures: a module per figure, with the stage (``main``) that draws it from stored records."""
