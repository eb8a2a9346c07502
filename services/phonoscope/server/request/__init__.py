"""What was asked for, checked, with every default applied."""
