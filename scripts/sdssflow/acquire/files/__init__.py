"""Files of your own: from whatever format to one catalogue, exactly, or refused with the reason."""
