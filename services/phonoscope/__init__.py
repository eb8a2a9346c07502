"""Phonoscope: text to speech over gRPC that shows everything it does while doing so."""

__version__ = "0.1.0"
