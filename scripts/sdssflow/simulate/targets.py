"""Bits of the target selection masks, from ``sdssMaskbits.par`` of idlutils of the SDSS."""

from __future__ import annotations

# TARGET, the mask of LEGACY_TARGET1
QSO_HIZ = 1 << 0
QSO_CAP = 1 << 1
QSO_SKIRT = 1 << 2
GALAXY_RED = 1 << 5
GALAXY = 1 << 6
STAR_BHB = 1 << 13
STAR_RED_DWARF = 1 << 18
STAR_WHITE_DWARF = 1 << 19
SERENDIP_BLUE = 1 << 20
SERENDIP_DISTANT = 1 << 23
GALAXY_RED_II = 1 << 26

# BOSS_TARGET1
GAL_LOZ = 1 << 0
GAL_CMASS = 1 << 1
SDSS_KNOWN = 1 << 6
GAL_CMASS_ALL = 1 << 7
STD_FSTAR = 1 << 20
STD_WD = 1 << 21
QSO_CORE_MAIN = 1 << 40
QSO_BONUS_MAIN = 1 << 41
