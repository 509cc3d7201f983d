"""The chapters of the reports: one module each, with one object `Chapter`."""
