"""Comparisons that report ratios; each is run as a module."""
