"""The text front end: splits text into sentences and converts sentences to phoneme ids."""
