"""The workers of one pack: each has a thread that takes what waits, hands it on, and replaces a worker that ended."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass

from pipeline.lost_look import LookLost
from server.inference import wire
from server.inference.calls import Call, Calls, Client, together
from server.inference.process import COMMAND, Ended, Refused, WorkerProcess

logger = logging.getLogger(__name__)

START = 120.0  # seconds until a worker that is not ready is given up
DEADLINE = 5.0  # seconds for one call, after which its worker is ended
PATIENCE = 15.0  # seconds that who calls waits, whatever happens meanwhile
TRIES = 2
GRACE = 1.0  # seconds for what is under way when a crew ends
YOUNG = 10.0  # seconds; who ends earlier is replaced later each time
PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds
LOOK_EVERY = 0.25  # seconds


class InferenceDown(RuntimeError):
    """No worker can be started; the message says why, as a sentence."""


@dataclass(slots=True)
class Tally:
    """What all crews of a server did so far."""

    restarts: int = 0
    calls: int = 0  # answered
    batched: int = 0  # … of them together with another's
    embed_runs: int = 0  # of an embedder …
    embed_faces: int = 0  # … and the faces in them
    milliseconds: float = 0.0  # from asking to the answer, a running mean over about the last fifty


class _Seat:
    """A worker's place, with whoever holds it now."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process: WorkerProcess | None = process
        self.ready = False
        self.busy = False
        self.due: float | None = None  # when who computes is late
        self.since = 0.0


class Crew:
    """``size`` workers, ready when this returns. Raises :class:`InferenceDown` where one does not start. End with
    :meth:`close`."""

    def __init__(
        self, work: wire.Work, size: int, tally: Tally, command: Sequence[str] = COMMAND, deadline: float = DEADLINE
    ) -> None:
        self.work = work
        self._tally, self._command, self._deadline = tally, tuple(command), deadline
        self._calls = Calls()
        self._guard = threading.Lock()  # over the seats
        self._seats: list[_Seat] = []
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._watch_clock, name="workers: clock", daemon=True)
        self._watch.start()
        try:
            for _ in range(size):  # all at once, then wait
                self._seats.append(seat := _Seat(self._start()))
                seat.due = time.monotonic() + START
            for seat in self._seats:
                self._await(seat)
        except InferenceDown:
            self._finish()
            raise
        self._threads = [
            threading.Thread(target=self._serve, args=(seat,), name=f"worker {number}", daemon=True)
            for number, seat in enumerate(self._seats)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pids(self) -> list[int]:
        """The processes that are there now."""
        with self._guard:
            return [seat.process.pid for seat in self._seats if seat.process is not None]

    def counts(self) -> tuple[int, int, int]:
        """Workers that are ready, those that compute, and calls that wait."""
        with self._guard:
            ready = sum(seat.ready for seat in self._seats)
            busy = sum(seat.busy for seat in self._seats)
        return ready, busy, len(self._calls)

    def call(self, request: wire.Request, client: Client) -> wire.Array:
        """Floats (N, columns) for it. Blocks; what a worker fails at by crashing is tried once more. Raises
        :class:`pipeline.lost_look.LookLost` where no answer comes."""
        began = time.monotonic()
        if began < client.barred_until:
            raise LookLost("pictures of this camera crashed workers; they are left alone for a moment")
        call = Call(request, client)
        if not self._calls.put(call):
            raise LookLost("the workers have ended")
        try:
            rows = call.answer.result(PATIENCE)
        except TimeoutError:
            call.given_up = True
            raise LookLost(f"no worker answered within {PATIENCE:.0f} seconds") from None
        except CancelledError:
            raise LookLost("the workers have ended") from None
        with self._guard:
            self._tally.calls += 1
            spent = (time.monotonic() - began) * 1e3
            self._tally.milliseconds += (spent - self._tally.milliseconds) / min(self._tally.calls, 50)
        return rows

    def close(self) -> None:
        """Let what is under way end, and end the workers; who waits gets :class:`pipeline.lost_look.LookLost`. May be
        called twice, from any thread but the workers' own."""
        for call in self._calls.close():
            call.answer.cancel()
        latest = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))
        with self._guard:
            for seat in self._seats:
                if seat.process is not None:
                    seat.process.kill()
        for thread in self._threads:
            thread.join()
        self._finish()

    # -- one worker ----------------------------------------------------------------------------------------------

    def _serve(self, seat: _Seat) -> None:
        pause = PAUSE
        while not self._calls.closed:
            if seat.process is None:
                if not self._closes_within(pause):
                    self._replace(seat)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            calls = self._calls.take(LOOK_EVERY)
            if seat.process.ended:  # meanwhile, and through no fault of theirs
                logger.warning("a worker ended while it had nothing to do, and is replaced")
                self._again(calls)
            elif not calls or self._work(seat, calls):
                continue
            if time.monotonic() - seat.since > YOUNG:
                pause = PAUSE
            self._lose(seat)

    def _work(self, seat: _Seat, calls: list[Call]) -> bool:
        """Whether the worker is still there after it."""
        process = seat.process
        assert process is not None
        with self._guard:
            seat.busy, seat.due = True, time.monotonic() + self._deadline
        try:
            rows = process.call(together(calls))
        except Ended as ended:
            logger.warning("a worker ended at a call and is replaced: %s", ended)
            self._crashed(calls)
            return False
        except (Refused, ValueError) as refused:
            if len(calls) > 1:
                self._again(calls, alone=True)
            else:
                calls[0].answer.set_exception(LookLost(f"the network refused this picture ({refused})"))
            return True
        finally:
            with self._guard:
                seat.busy, seat.due = False, None
        with self._guard:
            self._tally.batched += len(calls) if len(calls) > 1 else 0
            if calls[0].request.kind == wire.EMBED:
                self._tally.embed_runs += 1
                self._tally.embed_faces += len(rows)
        for call in calls:
            count = len(call.request.pictures) if len(calls) > 1 else len(rows)
            call.answer.set_result(rows[:count])
            rows = rows[count:]
        return True

    def _crashed(self, calls: list[Call]) -> None:
        now = time.monotonic()
        again = []
        for call in calls:
            call.tries += 1
            with self._calls.changed:
                last = call.tries >= TRIES or (len(calls) == 1 and call.client.suspect(now))
                if last:
                    call.client.crashed(now)
            if last:
                call.answer.set_exception(LookLost("a worker crashed at this picture"))
            else:
                again.append(call)
        self._again(again, alone=True)

    def _again(self, calls: list[Call], alone: bool = False) -> None:
        """Let them go first; ``alone``: one of them may be the reason why it went wrong."""
        for call in calls:
            call.alone = call.alone or alone
        for call in self._calls.put_back(calls):
            call.answer.cancel()

    def _replace(self, seat: _Seat) -> None:
        try:
            process = self._start()
            with self._guard:
                seat.process, seat.due = process, time.monotonic() + START
            self._await(seat)
        except InferenceDown as down:
            if not self._calls.closed:
                logger.error("%s", down)
            self._lose(seat)
        else:
            with self._guard:
                self._tally.restarts += 1

    def _lose(self, seat: _Seat) -> None:
        with self._guard:
            process, seat.process, seat.ready, seat.due = seat.process, None, False, None
        if process is not None:
            process.end()

    def _closes_within(self, seconds: float) -> bool:
        with self._calls.changed:
            return self._calls.changed.wait_for(lambda: self._calls.closed, seconds)

    def _start(self) -> WorkerProcess:
        try:
            return WorkerProcess(self.work, self._command)
        except OSError as error:
            raise InferenceDown(f"A worker for the networks cannot be started: {error.strerror}.") from error

    def _await(self, seat: _Seat) -> None:
        assert seat.process is not None
        try:
            seat.process.wait_ready()
        except Refused as refused:
            raise InferenceDown(f"A worker for the networks cannot begin: {refused}.") from refused
        except Ended as ended:
            raise InferenceDown(
                f"A worker for the networks ends as soon as it is started ({ended}); "
                "python -m server.inference.worker says why."
            ) from ended
        with self._guard:
            seat.ready, seat.due, seat.since = True, None, time.monotonic()

    # -- all of them ---------------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            with self._guard:
                for seat in self._seats:
                    if seat.process is not None and seat.due is not None and time.monotonic() > seat.due:
                        seat.due = None
                        seat.process.kill()

    def _finish(self) -> None:
        self._ended.set()
        self._watch.join()
        for seat in self._seats:
            with contextlib.suppress(OSError):
                self._lose(seat)
