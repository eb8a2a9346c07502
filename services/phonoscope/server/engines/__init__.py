"""Engines: they turn phoneme ids into samples. `base` is the contract; torch is imported only in this package."""
