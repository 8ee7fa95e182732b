"""A run in this terminal: what was given becomes a run, its events are drawn, its end becomes an exit code."""

import contextlib
import os
import resource
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from autoagent.cli.goal import Goal
from autoagent.cli.options import Options
from autoagent.errors import ConfigError, JournalError
from autoagent.masking import Mask
from autoagent.places import config_folder, find_run, new_run_folder, plain, runs_folder, state_folder
from autoagent.signals import Signals
from autoagent.terminal import header
from autoagent.terminal.look import Look, choose_look

if TYPE_CHECKING:
    from autoagent.budget import Limits
    from autoagent.build import Chosen
    from autoagent.events import Event, Setup
    from autoagent.history import Presence
    from autoagent.journal import Journal
    from autoagent.settings import Settings, Wish
    from autoagent.state import State
    from autoagent.terminal.keyboard import Keyboard

LEFT_CODE = 130


@dataclass(frozen=True)
class Foreground:
    """The person's terminal and what they asked for. Nothing heavy is imported before the first line stands."""

    options: Options
    look: Look
    signals: Signals
    mask: Mask

    @staticmethod
    def open(options: Options) -> "Foreground":
        options.check_output()
        options.check_trust()
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # a dump of our memory would hold the key
        signals = Signals()
        signals.install()
        look = choose_look(sys.stderr, os.environ, plain=options.plain)
        look.mask = mask = click.get_current_context().ensure_object(Mask)
        return Foreground(options, look, signals, mask)

    def start(self, goal: Goal, workspace: Path) -> int:
        """Start a run and work on it. Raises ConfigError before anything is journalled."""
        if not goal.goals and not self._keyboard():
            raise ConfigError('no goal. Give one: autoagent run "Summarise ./notes with sources"')
        folder = new_run_folder()
        if not self.options.quiet:
            header.header(self.look, run_id=folder.name, workspace=_short(workspace))
        from autoagent import build

        flags = self.options.as_settings()
        if goal.max_cost and flags["limits.cost"] is None:
            flags["limits.cost"] = goal.max_cost
        found = self._settings(workspace, flags)
        if found is None or not self._notes_are_settled(workspace, found, flags["approve"]):
            return LEFT_CODE
        chosen = build.choose_model(found)
        wanted, limits = build.make_setup(found, chosen, workspace)
        setup = self._with_network_as_wanted(wanted)
        if setup is None:
            return LEFT_CODE
        self._describe(found, chosen, setup, limits)
        asked = goal if goal.goals else self._first_run(setup, limits, found)
        if asked is None:
            return LEFT_CODE
        with build.start_run(
            folder,
            setup.model_copy(update={"protect": goal.protect}),
            limits,
            asked.goals,
            name=asked.name,
            role=asked.role,
            usage=asked.usage,
            rules=self.options.rules,
            criteria=goal.criteria,
            mask=self.mask,
            untrusted=bool(found.refused),
            network_by=self._network_by(setup),
            notify=self.warn,
        ) as journal:
            return self._work(journal, found)

    def resume(self, run: str, message: str | None) -> int:
        """Go on with a run. Raises ConfigError where it can't go on as it is."""
        from autoagent import build
        from autoagent.inbox import InboxMessage, send
        from autoagent.journal import Journal

        folder = find_run(runs_folder(), run)
        with Journal(folder) as journal:
            state = journal.state
            if state.setup is None:
                raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
            if state.status == "reached" and message:
                raise ConfigError(f"run {state.run_id} has reached its goal. Start a new run for what is still to do")
            if state.status == "reached":
                header.warn_line(self.look, f"run {state.run_id} has reached its goal; there is nothing to go on with")
                return self._end(state, folder)
            if not self.options.quiet:
                header.header(self.look, run_id=state.run_id, workspace=_short(Path(state.setup.workspace)))
            found = self._settings(Path(state.setup.workspace), self.options.as_settings(), kept=state.setup)
            if found is None:
                return LEFT_CODE
            journal.mask = self.mask
            wanted, limits = build.changed_setup(state, found)
            if state.status in ("unreached", "stalled") and not message and wanted.model == state.setup.model:
                raise ConfigError(
                    f"run {state.run_id} ended as {state.status}: {state.reason}\n"
                    f'Say what to do differently: autoagent resume {state.run_id} --message "…"\n'
                    f"or take another model:      autoagent resume {state.run_id} -m NAME"
                )
            setup = self._with_network_as_wanted(wanted, state.setup)
            if setup is None:
                return LEFT_CODE
            if message:
                send(folder, InboxMessage(kind="say", by="resume", text=self.mask(message)))
            build.resume_run(
                journal, setup, limits, self.warn, rules=self.options.rules, network_by=self._network_by(setup)
            )
            self._describe(found, build.Chosen(setup.model, setup.base_url), setup, limits)
            if not self.options.quiet:
                words = build.next_call_words(journal.state, found)
                header.resume_line(self.look, step=state.step, first_call=words)
            return self._work(journal, found)

    def _settings(self, workspace: Path, flags: dict[str, Any], kept: "Setup | None" = None) -> "Settings | None":
        """The settings that count, where those of the folder itself need a person's trust; None where they leave.

        `kept` is what a resumed run keeps.
        """
        from autoagent import settings

        safe_mode = self.options.safe_mode or bool(kept and kept.safe_mode)
        found = settings.load(workspace, flags, safe_mode=safe_mode)
        self.mask.learn(found.secrets)
        wishes = found.refused if self.options.trust else found.undecided
        if wishes:
            approve = flags["approve"] or (kept.approve if kept else found.get("approve"))
            trusted = self._is_trusted(wishes, found, asks=approve != "never")
            if trusted == "left":
                return None
            accepted = [wish.file for wish in wishes] if trusted == "yes" else []
            found = settings.load(workspace, flags, accepted=accepted, safe_mode=safe_mode)
            self.mask.learn(found.secrets)
        for warning in found.warnings:
            self.warn(warning)
        return found

    def _is_trusted(
        self, wishes: "Sequence[Wish]", found: "Settings", *, asks: bool
    ) -> "Literal['yes', 'no', 'left', '']":
        """What a person says of these settings, remembered for their content; "" where nobody can be asked."""
        from autoagent import trust
        from autoagent.terminal.trust import ask_trust, wish_lines

        answer: bool | None = True
        if self.options.trust:
            self.look.write(*wish_lines(wishes, found))
        elif keyboard := self._keyboard() if asks else None:
            answer = ask_trust(self.look, keyboard, wishes, found, until=lambda: bool(self.signals.stop_reason))
        else:
            return ""
        if answer is None:
            return "left"
        try:
            trust.remember([wish.file for wish in wishes], trusted=answer)
        except OSError as error:
            self.warn(f"this answer can't be kept, it counts now only: {error.strerror}")
        return "yes" if answer else "no"

    def _notes_are_settled(self, workspace: Path, found: "Settings", approve: str | None) -> bool:
        """Have a person say once whether this content of AGENTS.md is their notes; False where they leave."""
        if found.safe_mode:
            return True
        from autoagent import trust
        from autoagent.recall import read_notes
        from autoagent.terminal.trust import NOT_NOTES, ask_notes, notes_lines

        try:
            notes = read_notes(workspace)
        except ConfigError as error:
            self.warn(str(error))
            return True
        if notes is None or notes.verdict == "yes":
            return True
        asks = not notes.verdict and (approve or found.get("approve")) != "never"
        if self.options.trust:
            self.look.write(*notes_lines(notes))
            answer = True
        elif keyboard := self._keyboard() if asks else None:
            answer = ask_notes(self.look, keyboard, notes, until=lambda: bool(self.signals.stop_reason))
        else:
            self.warn(NOT_NOTES[notes.verdict])
            return True
        if answer is not None:
            try:
                trust.remember([notes.file], trusted=answer)
            except OSError as error:
                self.warn(f"this answer can't be kept, so AGENTS.md is not used: {error.strerror}")
        return answer is not None

    def _with_network_as_wanted(self, setup: "Setup", kept: "Setup | None" = None) -> "Setup | None":
        """The setup with or without the network for programs, as a person says, who is asked once a run.

        None where they leave. Where nobody can be asked the flag is their word; `kept` is what a resumed run keeps.
        """
        told = setup.sandbox == "none" or (kept is not None and kept.sandbox_network)
        if told or not setup.sandbox_network or setup.approve == "never":
            return setup
        keyboard = self._keyboard()
        if keyboard is None:
            return setup
        from autoagent.terminal.consent import ask_network

        allowed = ask_network(self.look, keyboard, until=lambda: bool(self.signals.stop_reason))
        return None if allowed is None else setup.model_copy(update={"sandbox_network": allowed})

    def _network_by(self, setup: "Setup") -> str:
        """Who wants programs to reach the network, where they do."""
        asked = setup.sandbox != "none" and setup.approve != "never" and self._keyboard()
        return "terminal" if asked else "--sandbox-network"

    def warn(self, text: str) -> None:
        header.warn_line(self.look, text)

    def _keyboard(self) -> "Keyboard | None":
        """Where a person can be asked; None in continuous mode, and where nobody sits at a terminal."""
        from autoagent.terminal.keyboard import Keyboard

        return Keyboard.open(self.look)

    def _first_run(self, setup: "Setup", limits: "Limits", found: "Settings") -> Goal | None:
        from autoagent import build
        from autoagent.cli.first_run import ask_person
        from autoagent.terminal.screen import Screen

        keyboard = self._keyboard()
        if keyboard is None or self.signals.stop_reason:
            return None
        model = build.make_model(setup.model, setup, found, self.warn)
        try:
            own = build.own_prompts(setup)
            return ask_person(Screen(self.look), keyboard, model, setup.reply_tokens, limits, own=own)
        finally:
            model.close()

    def _describe(self, found: "Settings", chosen: "Chosen", setup: "Setup", limits: "Limits") -> None:
        """Which model, how it came to be chosen, and the limits that hold."""
        from autoagent import build

        if chosen.words and setup.model == build.OFFLINE:
            header.no_model(self.look, chosen.words)
        elif chosen.words:
            self.warn(f"{chosen.words}: {setup.model}")
        if (origin := found.named_by_workspace(setup.base_url)) and found.api_key:
            from autoagent.terminal.trust import host_of

            whose = found.origins["api_key"]
            self.warn(f"OPENAI_API_KEY ({whose}) goes to {host_of(setup.base_url)}, as {origin} wants it")
        if self.options.quiet:
            return
        header.model_line(self.look, *build.model_words(found, setup))
        header.limits_line(self.look, limits)
        header.sandbox_line(self.look, setup)
        header.undo_line(self.look, _not_covered(Path(setup.workspace)))

    def _work(self, journal: "Journal", found: "Settings") -> int:
        """Work on the run until it stands, and say how it ended."""
        from autoagent import build
        from autoagent.cli import outcome
        from autoagent.cli.step import changes_of
        from autoagent.signals import Unattended
        from autoagent.terminal.screen import Screen

        options, state = self.options, journal.state
        screen = Screen(
            self.look,
            quiet=options.quiet,
            verbose=options.verbose,
            stop_reason=lambda: self.signals.stop_reason,
            changed=lambda event: changes_of(journal.folder, event),
        )
        screen.begin(state)
        journal.observers.append(screen.observe)
        if options.format == "stream-json":
            outcome.print_events(journal.folder)
            journal.observers.append(outcome.print_event)
        people = Unattended(journal.folder, self.signals, screen.hear, screen.watch)
        keyboard = self._keyboard() if state.setup and state.setup.approve != "never" else None
        if keyboard:
            from autoagent.terminal.people import TerminalPeople

            people = TerminalPeople(journal.folder, self.signals, screen, keyboard)
        agent = build.make_agent(journal, people, found, self.warn)
        try:
            with self._beside_others(journal):
                agent.run()
        except KeyboardInterrupt:
            pass  # a second Ctrl-C: leave now, the journal is whole
        finally:
            screen.idle()
            agent.close()
        code = self._end(journal.state, journal.folder)
        if keyboard and keyboard.drop():
            answer = f"autoagent answer {journal.state.run_id} TEXT"
            self.warn(f"what was typed while it worked was not read; another time: {answer}")
        return code

    @contextlib.contextmanager
    def _beside_others(self, journal: "Journal") -> Generator[None]:
        """While it lasts, runs in this workspace know of each other, and the person does."""
        from autoagent.history import Presence

        setup = journal.state.setup
        try:
            presence = Presence(Path(setup.workspace if setup else "."), journal.folder.name)
        except JournalError as error:
            self.warn(str(error))
            yield
            return
        neighbours = _Neighbours(presence, self.warn)
        neighbours.look()
        journal.observers.append(neighbours.observe)
        with presence:
            yield

    def _end(self, state: "State", folder: Path) -> int:
        from autoagent.cli import outcome
        from autoagent.cli.step import undo_of
        from autoagent.figures import figures
        from autoagent.journal import read
        from autoagent.terminal.ending import ending

        undo = undo_of(folder, read(folder))  # read twice and never held whole: a long run's end takes no memory
        more = [f"autoagent show {state.run_id}"] if state.step else []
        more += [f"autoagent undo {state.run_id}"] if undo.files else []
        ending(self.look, state, figures(read(folder)), undo=undo.words, more=more)
        outcome.print_result(state, folder, self.options.format, self.mask)
        outcome.write_result(state, self.options.output, self.mask)
        return outcome.exit_code(state)


@dataclass(frozen=True)
class _Neighbours:
    """Tells once of each other run that works in this workspace: at the start, and at each step."""

    presence: "Presence"
    warn: Callable[[str], None]
    told: set[str] = field(default_factory=set[str])

    def look(self) -> None:
        others: tuple[str, ...] = ()
        with contextlib.suppress(OSError):  # no run stops because it can't see the others
            others = self.presence.others()
        for run in others:
            if run not in self.told:
                self.told.add(run)
                self.warn(f"run {run} works in this workspace too; undo can't tell its changes from this run's")

    def observe(self, event: "Event", state: "State") -> None:
        if event.type == "model_called":
            self.look()


def _not_covered(workspace: Path) -> str:
    """What undo does not cover; "" where it covers all, or where the run will say why it can't see the workspace."""
    from autoagent.history import not_covered

    with contextlib.suppress(OSError):
        return not_covered(workspace, forbidden=[state_folder(), config_folder()]).in_words()
    return ""


def _short(path: Path) -> str:
    """The path with ~ for the home folder."""
    path = plain(path)
    try:
        return f"~/{path.relative_to(Path.home())}".removesuffix("/.")
    except (ValueError, RuntimeError):
        return str(path)
