"""Relighting of one's own photos: reading and writing them, depth for them, and the way back to full resolution."""
