"""How each result was made: a record of every job, the way back, and a crate of the run."""
