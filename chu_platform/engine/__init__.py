"""The SQL engine: a Spark Connect client and its two servers, Sail (`embedded`) and Apache Spark (`spark`)."""
