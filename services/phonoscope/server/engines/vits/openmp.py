"""How long OpenMP's threads spin at a barrier before they sleep. Called once, by the package, before torch is loaded.

Torch's parallel loops end at a barrier. GNU OpenMP spins there for a long time, on the assumption that every thread
has a core of its own. Beside another busy process one thread has none: its partner then spins through its whole time
slice, at every one of some thousand barriers of a sentence. Threads that soon sleep leave the core to whoever has
work. libgomp reads its environment once, while it is loaded:
https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
"""

import os
from collections.abc import MutableMapping
from typing import Final

# Iterations of a busy wait; libgomp defaults to 300 000. With fewer, an idle machine is slower: threads sleep
# between the small operations of `prepare`. With more, a busy neighbour costs more.
SPIN_COUNT: Final = 3000
# Whoever sets one of these has decided otherwise.
DECIDED_BY: Final = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def bound_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets GOMP_SPINCOUNT, unless the environment says how OpenMP's threads wait."""
    if not any(name in environment for name in DECIDED_BY):
        environment["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
