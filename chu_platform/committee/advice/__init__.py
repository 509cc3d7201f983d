"""The third report: recommendations. It reads the tables `references/recommendation` and `reports/scaling_benchmark`."""
