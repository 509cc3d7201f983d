"""Column lineage: from each column of each table to the columns it is made from, and on to what was delivered."""
