"""Markdown to the text that a person would read aloud, whole or while it arrives. docs/text.md describes it."""
