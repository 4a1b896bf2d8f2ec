"""From a catalogue to the rows and features of models."""
