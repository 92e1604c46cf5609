"""A Ray cluster of two nodes on this machine, as a program: run in a Python with Ray.

It prints the cluster's address. For each line that it reads, it kills the second node and adds another; it ends with
its input.
"""

from __future__ import annotations

import sys


def main() -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(node, allow_graceful=False)
        node = cluster.add_node(num_cpus=1)
    cluster.shutdown()


if __name__ == "__main__":
    main()
