"""The commands of `taxagent`, one file each; a file is imported when its command is given."""
