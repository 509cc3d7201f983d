"""Column lineage: from each column of each table to its origins, back to the delivered columns."""
