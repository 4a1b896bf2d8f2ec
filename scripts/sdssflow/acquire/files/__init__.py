"""Read users' files of any format exactly into a catalogue, or refuse them with the reason."""
