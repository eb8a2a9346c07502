"""Mandarin Chinese: from characters to the phonemes of Kokoro's Chinese voices."""
