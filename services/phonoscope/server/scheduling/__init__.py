"""Which work the engine does next, and for whom."""
