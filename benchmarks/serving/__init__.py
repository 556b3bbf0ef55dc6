"""What the benchmarks of serving share: a load generator, the peers and their environments, processes, reports."""
