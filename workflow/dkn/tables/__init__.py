"""The tables of results/tables: a module per table, with the stage (``main``) that writes it."""
