"""Encoding of audio and video: a queue of rows, and workers that run each codec in a child process."""
