"""The sinks of events: metrics, spans and logs."""
