"""A batch on a Ray cluster of two nodes on this machine, one of which is killed and replaced on the way.

Run as a program, in a Python with Ray: the number of records after which the node is killed, then the command line.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path


def main() -> int:
    from ray.cluster_utils import Cluster

    from meshkin import cli

    killed_after, *command = sys.argv[1:]
    folder = Path(command[command.index("--output") + 1])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)

    def lose_a_node() -> None:
        while len(list(folder.glob("*.json"))) <= int(killed_after):
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1)

    if int(killed_after):
        threading.Thread(target=lose_a_node, daemon=True).start()
    try:
        return cli.main([*command, "--engine", "ray", "--address", cluster.address])
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
