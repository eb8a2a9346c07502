"""The gateway: HTTP, WebSocket and a page for browsers and OpenAI clients, in front of a gRPC speech server."""
