"""The command line: the app, the registry of commands, the options that commands share, and the commands."""
