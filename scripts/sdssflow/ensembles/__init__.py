"""Networks of one shape that learn together as one program, whatever they learn."""
