"""Where events go: metrics, spans and logs."""
