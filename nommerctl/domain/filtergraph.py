"""Reads a filter graph as ffmpeg does, to see which filters and which of their options it names.

The grammar is libavfilter's: chains are separated by `;`, filters by `,`; a filter is `[in]name@instance=options[out]`,
its options `key=value` or bare values, separated by `:`. Quotes and backslashes are undone once for the graph and once
more for the options, so that no spelling of a name escapes the eye. What this cannot read, ffmpeg does not get.
"""

import re
from typing import NamedTuple

from nommerctl.errors import UsageError

_SPACE = " \n\t\r"
_KEY = re.compile(r"[ \n\t\r]*([A-Za-z0-9_./-]+)[ \n\t\r]*=")


class Filter(NamedTuple):
    """One filter of a graph: its name, the names of its options, '' for one that is given by its place alone."""

    name: str
    keys: tuple[str, ...]


class _Reader:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        """Return the next character that is not white space, without taking it; '' at the end."""
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        """Take the next character that is not white space."""
        found = self.peek()
        self.at += len(found)
        return found

    def token(self, ends: str) -> str:
        """Take everything up to one of `ends`, with quotes and backslashes undone and outer white space dropped."""
        self.peek()
        out: list[str] = []
        kept = 0  # quoted and escaped characters stay, even where they are white space at the end
        while self.at < len(self.text) and self.text[self.at] not in ends:
            char = self.text[self.at]
            self.at += 1
            if char == "\\" and self.at < len(self.text):
                out.append(self.text[self.at])
                self.at += 1
                kept = len(out)
            elif char == "'":
                close = self.text.find("'", self.at)
                if close < 0:
                    raise _unreadable(self.text, "a quote is not closed")
                out.extend(self.text[self.at : close])
                self.at = close + 1
                kept = len(out)
            else:
                out.append(char)
        while len(out) > kept and out[-1] in _SPACE:
            out.pop()
        return "".join(out)


def filters_in(graph: str) -> tuple[Filter, ...]:
    """Return the filters that a graph names, in order; UsageError if it cannot be read."""
    reader = _Reader(graph)
    found = []
    while True:
        found.append(_filter(reader))
        separator = reader.take()
        if not separator:
            return tuple(found)
        if separator not in ",;":
            raise _unreadable(graph, f"{separator!r} stands where a filter should end")


def _filter(reader: _Reader) -> Filter:
    _labels(reader)
    name = reader.token("=,;[").partition("@")[0]
    if not name:
        raise _unreadable(reader.text, "a filter has no name")
    keys: tuple[str, ...] = ()
    if reader.peek() == "=":
        reader.take()
        keys = _keys(reader.token("[],;"))
    _labels(reader)
    return Filter(name, keys)


def _labels(reader: _Reader) -> None:
    while reader.peek() == "[":
        reader.take()
        label = reader.token("]")
        if not label or reader.take() != "]":
            raise _unreadable(reader.text, "a [label] is empty or not closed")


def _keys(options: str) -> tuple[str, ...]:
    reader = _Reader(options)
    keys = []
    while reader.peek():
        named = _KEY.match(options, reader.at)
        keys.append(named[1] if named else "")
        if named:
            reader.at = named.end()
        reader.token(":")
        reader.take()
    return tuple(keys)


def _unreadable(graph: str, why: str) -> UsageError:
    return UsageError(f"the filter graph {graph!r} cannot be read: {why}")
