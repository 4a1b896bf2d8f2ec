"""Read the bulk files of a data release, spectra and their photometry, in bounded memory."""
