"""Classes that declare a table: its columns, how its rows are made, checks, partitions and maintenance."""
