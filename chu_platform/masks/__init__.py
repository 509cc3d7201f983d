"""Which cells of the indicators may be published. One module a family of indicators."""
