"""Puts numbers into words: money, times, dates, measures and the like, where espeak-ng reads them otherwise."""
