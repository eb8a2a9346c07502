"""The benchmark: `make bench` compares this service with piper-tts on the same voice; docs/benchmarks.md reads it."""
