"""The compiled path: per-cell loops only, in Cython, without the GIL; no objects per row or cell.

==========  ==================================================================================================
module      what it does
==========  ==================================================================================================
rows        MySQL's text-protocol result rows → Arrow ``binary`` column buffers (`RowDecoder`)
copyrows    rows of PostgreSQL's COPY text format → Arrow ``binary`` column buffers (`CopyDecoder`)
copytuples  rows of PostgreSQL's COPY binary format, of texts and bytes, into the same (`TupleDecoder`)
copystream  a COPY's messages, by the driver's own libpq, into a `CopyDecoder` or joined undecoded (`RawRows`)
copysocket  the same from the socket itself
copytext    Arrow ``binary`` column buffers → PostgreSQL's COPY text format (`CopyTextEncoder`)
binlogskim  passes over events of a binary log by their headers (`skim`)
memory      the buffers that they hand out (`Block`)
status      what `RowDecoder.feed` answers
ops         what `CopyTextEncoder` does with a column, and why it refuses a cell
==========  ==================================================================================================

Text cells are those of `mainstem.model.types`. A plain and slow twin of each class stands in
``tests/native/oracle.py`` (of `CopyDecoder` in ``copy_oracle.py``): it is the specification, and property tests hold
the two equal. Input that breaks a format raises `mainstem.errors.WireError`; nothing outside the given buffers is ever
read.
"""
