"""The load generator: `phonoscope bench` (cli/bench.py) builds it, and a server gets calls at a known pace.

generator.py is the story. Needs the base install only, plus the tracing extra where spans are asked for.
"""
