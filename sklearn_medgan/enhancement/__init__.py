"""Restoration of poor images, judged on held-out ones."""
