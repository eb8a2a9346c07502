"""Environment variables of the libraries that torch computes with. Set once, by the package, before torch is loaded.

GNU OpenMP and oneDNN read their environment once, while they are loaded:
https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html
"""

import os
from collections.abc import MutableMapping
from typing import Final

# Iterations of a busy wait at the barrier that ends each parallel loop; libgomp defaults to 300 000, on the assumption
# that every thread has a core of its own. Beside another busy process one thread has none: its partner then spins
# through its whole time slice, at every one of some thousand barriers of a sentence. With fewer iterations an idle
# machine is slower: threads sleep between the small operations of `prepare`.
SPIN_COUNT: Final = 3000
# Kernels that oneDNN keeps; it defaults to 1024, fewer than the lengths of a flow in bfloat16 need (`lengths.py`). A
# dropped kernel is generated again while a request waits, which takes several times as long as a short window.
KERNELS_KEPT: Final = 4096
# If one of these is set, the operator has chosen how threads wait.
SPIN_DECIDED_BY: Final = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def configure_libraries(environment: MutableMapping[str, str] = os.environ) -> None:
    """Bounds OpenMP's spinning and sizes oneDNN's cache of kernels; keeps values that the environment already sets."""
    if not any(name in environment for name in SPIN_DECIDED_BY):
        environment["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
    environment.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS_KEPT))
