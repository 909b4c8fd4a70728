"""Tests of one fact asked alone, and of the library by name."""
