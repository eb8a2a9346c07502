"""The Kokoro engine: speaks with Kokoro-82M and style packs. Loaded only where the voices folder has such voices."""
