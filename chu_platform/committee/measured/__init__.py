"""The second report: the physical model, and what was measured of it. It reads the table `reports/layout_benchmark`."""
