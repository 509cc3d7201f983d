"""Tests of the recomputation of the published indicators."""
