"""Memory that compiled loops have filled, as Python objects."""

class Block:
    """Bytes made by a compiled loop; read-only, freed with the object. Supports the buffer protocol."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
