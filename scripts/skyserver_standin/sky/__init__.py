"""A simulated sky: stars, galaxies and quasars as tables of SkyServer."""
