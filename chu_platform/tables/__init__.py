"""The vocabulary in which every table of the platform is declared: tables, rows, columns, checks, partitions."""
