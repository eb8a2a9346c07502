"""The text front end: text becomes sentences, sentences become phoneme ids."""
