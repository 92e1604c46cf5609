"""The local service: the workers of all Blenders and scripts of one user on one machine. Standard library only."""
