"""Tests of what makes figures traceable."""
