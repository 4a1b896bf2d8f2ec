"""Photometric bands: their names in columns and features, and their extinction."""

BANDS = ("u", "g", "r", "i", "z")
WISE_BANDS = ("w1", "w2", "w3", "w4")
FURTHER_BANDS = (*WISE_BANDS, "fuv", "nuv")
# extinction / E(B-V): Schlegel, Finkbeiner & Davis 1998 (ApJ 500, 525), table 6, behind the columns
# `extinction` of the SDSS catalogues
SFD_COEFFICIENT = {"u": 5.155, "g": 3.793, "r": 2.751, "i": 2.086, "z": 1.479}
