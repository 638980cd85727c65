"""MySQL's and MariaDB's binary log: bytes to typed events. No input or output in here, and no driver."""
