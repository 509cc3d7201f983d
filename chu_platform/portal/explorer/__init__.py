"""The explorer: tables of cells by the axes of the reader's choice.

For everybody it lists released cells and computes nothing from them, so that it tells no more than the released tables.
"""
