"""Help in panels, as plain text: commands under the heading of what they are for."""

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSES = "Passes, for cron and by hand"
JOBS = "Jobs"
INSPECT = "Looking, without changing anything"
SETUP = "Setting up"

ORDER = (PASSES, JOBS, INSPECT, SETUP)


class PanelGroup(TyperGroup):
    """A group whose help lists its commands panel by panel.

    Typer draws panels with rich, which costs every start of the program more than the rest of it together.
    """

    def _main_shell_completion(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - as below
        """Complete nothing: what a shell would be told goes by a variable that Typer repeats unescaped."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - Typer keeps the type of its context private
        """Return the commands as they were added: in the order of their use."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write each panel's commands with the first sentence of their help."""
        shown = [self.commands[name] for name in self.list_commands(ctx) if not self.commands[name].hidden]
        width = max((len(str(command.name)) for command in shown), default=0)
        limit = formatter.width - 6 - width
        for panel in self._panels(shown):
            rows = [
                (str(command.name).ljust(width), command.get_short_help_str(limit))
                for command in shown
                if _panel(command) == panel
            ]
            with formatter.section(panel or "Commands"):
                formatter.write_dl(rows)

    @staticmethod
    def _panels(commands: "Iterable[Any]") -> list[str]:
        found = {_panel(command) for command in commands}
        return [panel for panel in (*ORDER, "") if panel in found]


def _panel(command: Any) -> str:  # noqa: ANN401 - as above
    panel = getattr(command, "rich_help_panel", None)
    return panel if isinstance(panel, str) else ""
