"""The gateway: HTTP, WebSocket and a page for browsers and OpenAI clients; gRPC to the speech server behind it."""
