"""The audit: what each departure of the released code does to the numbers and the verdicts (docs/audit.md)."""
