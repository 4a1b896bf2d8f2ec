"""What trained models of both tasks share: files, cards, folders, what they may be given."""
