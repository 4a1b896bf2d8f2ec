"""From a catalogue to the rows and features that models see."""
