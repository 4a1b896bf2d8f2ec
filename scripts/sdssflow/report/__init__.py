"""One page that shows everything the configuration asks for."""
