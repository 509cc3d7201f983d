"""Tests of the dimensions."""
