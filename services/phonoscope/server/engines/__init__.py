"""Engines: what turns phoneme ids into samples. `base` is the contract; torch is imported below here only."""
