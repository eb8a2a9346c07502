"""Decides which work the engine does next, and for which request."""
