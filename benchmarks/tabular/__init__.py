"""Searchers compared on networks that are arrays: no training, many seeds, known optima."""
