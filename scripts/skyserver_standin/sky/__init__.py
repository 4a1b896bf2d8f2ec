"""A simulated sky: stars, galaxies and quasars as the tables of the SkyServer would hold them."""
