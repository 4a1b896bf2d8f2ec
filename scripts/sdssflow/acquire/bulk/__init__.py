"""The bulk files of a data release: spectra and their photometry, row by row, in bounded memory."""
