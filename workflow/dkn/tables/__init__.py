"""One module per table of results/tables, the stage that writes it included."""
