"""How jobs run: one job per GPU, one run per folder."""
