"""Names of the photometric bands, used in columns and features."""

BANDS = ("u", "g", "r", "i", "z")
WISE_BANDS = ("w1", "w2", "w3", "w4")
FURTHER_BANDS = (*WISE_BANDS, "fuv", "nuv")
