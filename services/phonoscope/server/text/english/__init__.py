"""English as Kokoro's voices were trained on it: words by misaki's dictionaries, all others by espeak-ng."""
