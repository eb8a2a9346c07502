"""The request, checked, with every default applied."""
