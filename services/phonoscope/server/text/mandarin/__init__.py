"""Mandarin Chinese: from characters to the phonemes of misaki."""
