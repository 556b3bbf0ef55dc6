"""Stand-ins for engines and models: small, deterministic, and told beforehand what to answer."""
