"""What a worker can do. A module for each feature; each job unpacks its request, calls one function, packs its result.

Bulk data come and go as files whose paths the requests and results hold. :mod:`meshkin.worker.jobs.table` lists all
jobs; nothing is imported before the first one runs.
"""
