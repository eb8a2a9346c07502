"""The load generator behind `phonoscope bench`: sends calls to a server at a known rate and measures the replies.

Start with generator.py. It needs the base install only, and the tracing extra for spans.
"""
