"""The ways to one engine, compared: HTTP with JSON and base64 as it was before gRPC, and gRPC.

`phonoscope bench compare` runs it: `rounds.py` measures what `ways.py` calls, `server.py` answers in processes of its
own, `table.py` tells. docs/benchmarks.md has the figures and what they mean.
"""
