"""The command line: reads arguments, calls the engine or the server, prints. docs/cli.md describes it for users."""
