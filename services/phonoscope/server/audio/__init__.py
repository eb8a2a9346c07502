"""Samples become bytes: resampling, gain, encodings."""
