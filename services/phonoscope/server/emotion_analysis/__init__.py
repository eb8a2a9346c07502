"""The emotion of sentences, asked of the emotion service: for requests whose emotion is "auto"."""
