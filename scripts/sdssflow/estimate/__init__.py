"""Classes and redshifts of objects without spectra: trained models applied to partitions."""
