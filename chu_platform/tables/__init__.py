"""The vocabulary in which every table of the platform is declared: Table, Column, Layout, Zone, partitions and rules.

Here: what a declaration can say. Not here: any one table, and anything that acts on a declaration.
"""
