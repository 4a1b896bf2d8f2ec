"""How jobs run: no output has two writers, no GPU two jobs, no folder two runs."""
