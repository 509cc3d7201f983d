"""Measurements of scalability and elasticity: one program of queries on Spark clusters of this machine."""
