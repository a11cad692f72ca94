"""Where the agent can be reached: its door, its event channels, and who is put out of them in a flood.

An address that is given up takes its connections with it; honest clients come back. Knows no request.
"""

from __future__ import annotations

import structlog
import zmq

from taxagent.ipc.channel import Channel
from taxagent.ipc.crowd import Crowd
from taxagent.ipc.door import Door
from taxagent.ipc.endpoint import checked_path, events_endpoint, narrow_umask
from taxagent.ipc.errands import Errands
from taxagent.ipc.heap import give_back
from taxagent.ipc.mailbox import ADDRESS
from taxagent.ipc.rests import LONGEST_S, Rests
from taxagent.ipc.tcp import TcpDoor
from taxagent.ipc.timers import Timers
from taxagent.ports import Clock
from taxclient.protocol import wire
from taxclient.protocol.messages import EventView

_HWM = 100  # messages that may wait for, or from, one peer
_HANDSHAKE_MS = 3000
_EVENTS_AGAIN_MS = 10_000  # until an event channel whose address could not be had is tried again
_FREED_MS = 1000  # libzmq's own thread has freed by then what those had who were put out
_EMPTY_MS = 200  # until one is that somebody was put out of: libzmq frees its address meanwhile
_LAST_WORD_MS = 500  # so long the answer to a drain may still be on its way when the process ends

_log = structlog.get_logger("ipc")


class Listening:
    """The sockets of one endpoint ("": none), and of the TCP door where there is one.

    All in the loop's thread. `errands`: the thread in which memory is given back.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        tcp: TcpDoor | None,
        timers: Timers,
        clock: Clock,
        errands: Errands,
    ) -> None:
        self._endpoint = endpoint
        self._tcp = tcp
        self._timers = timers
        self._clock = clock
        self._errands = errands
        self._stopping = False
        self.door = Door(context)
        self._channel = Channel(context)
        self._channels = (self._channel,) if tcp is None else (self._channel, tcp.channel)
        self._rests = {id(channel): Rests() for channel in self._channels}
        self._crowd = Crowd(timers, self.put_out, self.let_in)

    def bind(self) -> None:
        """Open the door. Raises AgentError("CONFIG_INVALID") where the endpoint cannot be ours."""
        router = self.door.socket
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _HWM),
            (zmq.RCVHWM, _HWM),
            (zmq.BACKLOG, _HWM),
            (zmq.SNDTIMEO, 0),
            (zmq.HANDSHAKE_IVL, _HANDSHAKE_MS),
            (zmq.MAXMSGSIZE, wire.REQUEST_BYTES),
            (zmq.ROUTER_MANDATORY, 1),
        ):
            router.setsockopt(option, value)
        if self._endpoint:
            checked_path(self._endpoint)
        router.bind(ADDRESS)
        self._let_in_by_ipc()
        if self._tcp is not None:
            self._tcp.bind(router)

    def watch(self) -> None:
        """Look from now on how many connections there are."""
        self._crowd.start()

    def stop(self) -> None:
        """Open no channel again."""
        self._stopping = True

    def close(self) -> None:
        """Close the sockets; may be called again."""
        self._channel.close(_LAST_WORD_MS)
        if self._tcp is not None:
            self._tcp.close(self.door.socket, _LAST_WORD_MS)
        self.door.close(_LAST_WORD_MS)

    # ---- a crowd

    def let_in(self) -> None:
        """Take the addresses again. Raises zmq.ZMQError where one cannot be had yet: all is tried again."""
        if self._tcp is not None:  # first: a port may be refused, and all of this is tried again then
            self._tcp.let_in(self.door.socket)
        self._let_in_by_ipc()

    def _let_in_by_ipc(self) -> None:
        if self._endpoint:
            with narrow_umask():
                self._channel.bind(events_endpoint(self._endpoint))
                self.door.socket.bind(self._endpoint)
            _log.info("listening", endpoint=self._endpoint)

    def put_out(self) -> None:
        """Give the addresses up, and everyone's connections with them."""
        if self._tcp is not None:
            self._tcp.keep_out(self.door.socket)
        if self._endpoint:
            self._channel.unbind()
            self.door.socket.unbind(self._endpoint)
        self._timers.later(_FREED_MS, self._give_back)

    # ---- the event channels

    def wanted(self) -> bool:
        """Return whether anybody listens to events."""
        return any(channel.wanted() for channel in self._channels)

    def say(self, event: EventView) -> None:
        """Tell everyone who listens."""
        for channel in self._channels:
            channel.say(event)

    def touch(self) -> None:
        """Welcome a new subscriber, who asks until it hears that."""
        for channel in self._channels:
            channel.touch()

    def drain(self) -> None:
        """Take what subscribers ask for; a channel that is flooded with it is shut for a while."""
        for channel in self._channels:
            if not channel.drain():
                _log.warning("events_shut", reason="too many subscriptions", processes=channel.flooders)
                rest_s = self._rests[id(channel)].shut_at(self._clock.monotonic())
                self._emptied(channel, int(rest_s * 1000))

    def empty_tcp(self) -> None:
        """Put all subscribers by TCP out: who may not come any more is one of them."""
        if self._tcp is not None:
            self._emptied(self._tcp.channel, _EMPTY_MS)

    def _emptied(self, channel: Channel, again_ms: int) -> None:
        """Put all subscribers out; those who may will be let in again, and miss nothing."""
        if not channel.is_open:
            return
        channel.shut()
        latest = self._clock.monotonic() + LONGEST_S
        self._timers.later(again_ms, lambda: self._reopened(channel, latest))
        self._timers.later(_FREED_MS, self._give_back)

    def _reopened(self, channel: Channel, latest: float) -> None:
        """Open the channel, but not to flooders that wait for it: all they ask for would come in at once."""
        if self._stopping:
            return
        if channel.flooders and self._clock.monotonic() < latest:
            self._timers.later(_EVENTS_AGAIN_MS, lambda: self._reopened(channel, latest))
            return
        try:
            with narrow_umask():
                channel.reopen()
        except zmq.ZMQError as error:
            _log.warning("events_not_open", reason=str(error))
            self._timers.later(_EVENTS_AGAIN_MS, lambda: self._reopened(channel, latest))

    # ---- memory

    def _give_back(self) -> None:
        self._errands.run(give_back, self._given_back)

    def _given_back(self, result: Exception | None) -> None:
        if result is not None:
            _log.info("memory_kept", reason=str(result))
