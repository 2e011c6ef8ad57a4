"""Encoding audio and video: the work as rows, and the workers that do it, each codec in a process of its own."""
