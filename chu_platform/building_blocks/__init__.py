"""Parts that several declarations share: columns, checks, SQL fragments and computations."""
