"""Star, galaxy or quasar."""
