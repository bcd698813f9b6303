"""Named models, the import of the user's own, and their weights."""
