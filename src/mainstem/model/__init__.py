"""Pure data: names, types, schema, plans, frames, runs. No I/O and no behaviour beyond the data's own rules."""
