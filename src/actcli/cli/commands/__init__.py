"""One module a command, each with a function of the command's name."""
