"""Where citations live and verdicts end: one module per kind of store."""
