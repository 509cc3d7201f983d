"""Tests of `chu trace`, `chu verify` and `chu rebuild`."""
