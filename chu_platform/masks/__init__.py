"""The families of indicators that are masked together. One module a family."""
