"""The `falco` command: a module per group of subcommands."""
