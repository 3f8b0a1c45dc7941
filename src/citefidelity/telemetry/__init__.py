"""What a run tells other programs: numbers for Prometheus, spans and metrics for OpenTelemetry."""
