"""Converts samples to bytes: resampling, gain, encodings."""
