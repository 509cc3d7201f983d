"""From a published figure back to the delivered rows, and from them to the figure again, by other means.

Here: chains of versions, evidence, recomputation, verification, rebuilding. Not here: making any table.
"""
