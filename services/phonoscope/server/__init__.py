"""The inference service: text to speech over gRPC. docs/architecture.md follows a request through its folders."""
