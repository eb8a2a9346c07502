"""The IndexTTS engine: an adapter to the library indextts25-inference, which only `library.py` calls."""
