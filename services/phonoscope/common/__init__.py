"""Shared by the services: errors, gRPC server, health, settings, logs, metrics, tracing, voice download."""
