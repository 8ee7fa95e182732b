"""The built-in commands, one file a kind."""

from autoagent.commands import control, files

COMMANDS = [
    files.read_file,
    files.write_file,
    files.append_file,
    files.edit_file,
    files.list_files,
    files.search_files,
    files.read_observation,
    control.ask_person,
    control.task_complete,
    control.give_up,
]
