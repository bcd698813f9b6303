"""Which channels of a network depend on each other, read off its exported graph."""
