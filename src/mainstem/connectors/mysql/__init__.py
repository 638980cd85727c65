"""MySQL and MariaDB: flavours of one connector."""
