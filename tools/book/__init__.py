"""Builds the book: runs its notebooks, stages them with their outputs, renders the pages, checks both."""
