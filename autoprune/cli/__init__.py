"""The command line: one file per command; words go to stderr, results to stdout."""
