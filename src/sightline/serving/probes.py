"""The routes of those who watch a server. They are no part of the figures of its requests."""

PROBES = ("/metrics", "/livez", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready")
