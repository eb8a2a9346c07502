"""The Kokoro engine: speaks with Kokoro-82M and style packs. Loaded only where the voices folder has such voices.

Importing it sets environment variables of OpenMP and oneDNN, which read them when torch loads.
"""

from phonoscope.server.engines.libraries import configure_libraries

configure_libraries()
