"""How accepted work is run."""
