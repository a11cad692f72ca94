"""A log that nobody reads must not stop the work."""

from __future__ import annotations

import os

from taxagent.logs import Unfailing


def test_a_broken_pipe_loses_the_line_and_raises_nothing() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w", buffering=1) as pipe:
        stream = Unfailing(pipe)
        stream.write("a line\n")
        stream.flush()
        assert stream.lost == 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), pipe.fileno())  # its close must write somewhere


def test_what_can_be_written_is_written() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as reader, os.fdopen(write_end, "w") as writer:
        stream = Unfailing(writer)
        assert stream.write("一行\n") == 3
        stream.flush()
        assert reader.readline() == "一行\n"
        assert stream.lost == 0
