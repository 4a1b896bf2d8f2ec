"""Networks of one shape trained together in one program, for redshifts or classes."""
