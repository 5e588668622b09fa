"""How this process uses Arrow."""

from __future__ import annotations

import functools

__all__ = ["settle"]


@functools.cache
def settle() -> None:
    """Leave signals and memory to the program and to the C library."""
    import pyarrow as pa

    # Arrow would handle signals itself while it parses, and lose one that arrives just when it is done.
    pa.enable_signal_handlers(False)
    # Arrow's own allocator is not faster for chunks of one size, and keeps 20 % more memory.
    pa.set_memory_pool(pa.system_memory_pool())
