"""The vocabulary in which every table of the platform is declared: Table, Column, Layout, Zone, partitions and rules."""
