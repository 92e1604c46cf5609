"""Many commands at once: what is to be done, what of it is done, and the engines that do it.

A manifest (:mod:`manifest`) becomes a :class:`meshkin.batch.plan.Plan`, whose items are commands. An engine runs them;
each leaves its record and its log in the batch's folder (:mod:`records`), and that folder is all that a batch knows.
"""
