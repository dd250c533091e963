"""Base classes for the user's code."""
