"""Plain ASGI middleware, outermost first: telemetry.py, then CORS (Starlette's), api_keys.py, limits.py."""
