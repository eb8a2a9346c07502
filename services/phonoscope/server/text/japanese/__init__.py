"""Japanese: from kanji and kana to the phonemes of misaki."""
