"""The emotion service: with which emotion a text is to be spoken. A process of its own; docs/emotion.md."""
