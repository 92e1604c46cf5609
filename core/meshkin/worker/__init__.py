"""The process that computes: how it is started and asked, and what it can do."""
