"""The sinks of the emotion service's events: metrics, span attributes and log lines."""
