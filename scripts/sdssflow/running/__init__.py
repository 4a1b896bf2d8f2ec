"""How jobs run: no GPU has two jobs, no folder two runs."""
