"""The routes of those who watch a server. They are no part of the figures of its requests."""

PROBES = ("/metrics", "/livez", "/readyz")
