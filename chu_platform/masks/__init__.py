"""The families of indicators that are masked together: one module for each family."""
