"""MySQL's binary JSON → the text that the server prints."""

from _typeshed import ReadableBuffer

def to_text(document: ReadableBuffer) -> bytes:
    """The JSON text of one document, in UTF-8. Raises `WireError` for bytes that are none."""
