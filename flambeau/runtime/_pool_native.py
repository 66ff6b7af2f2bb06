"""The native half of the thread pool: its memory layout, and its code as LLVM IR.

One task at a time is shared out. The caller cuts the chunks into one range for each thread, writes
them to the threads' slots, raises `epoch`, and takes part itself; a thread takes chunks from the
front of its own range (so that it meets the same data in every task of a program, which stays in
its core's cache), then steals from the back of the others'. A slot packs (first, last) in 64 bits,
and changes by compare-and-swap: whoever succeeds owns a chunk of the running task, since a task
ends only when all its chunks are done; a thread that comes late finds nothing and harms nothing.
Nobody waits for a thread that took no chunk.
"""

from flambeau.codegen.emitter import BOOL, I8, I16, I32, I64, PTR, VOID, Module
from flambeau.runtime import _cpu
from flambeau.runtime._pool import FLAGGED, INTERRUPTED

__all__ = ["LIMIT_FIELDS", "LINE", "PAUSES", "PROGRAM_FIELDS", "STATE_BYTES", "STATE_FIELDS",
           "TASK_FIELDS", "pool_ir"]

LINE = 128  # words that different threads write lie this far apart (two lines: adjacent prefetch)

# byte offsets in the pool's state
STATE_FIELDS = {
    "epoch": 0, "pending": LINE, "sleepers": 2 * LINE, "waiting": 3 * LINE,
    # the running task; `participants` bounds the slots that have work
    "function": 4 * LINE, "args": 4 * LINE + 8, "items": 4 * LINE + 16, "grain": 4 * LINE + 24,
    "participants": 4 * LINE + 32,
    # where threads write when they worked on it: (begin, end, chunks) each; 0: nobody asks
    "shares": 4 * LINE + 40,
    # whether it may be stopped, and why one was, so that some of its chunks were left out
    "stoppable": 4 * LINE + 48, "stopped": 4 * LINE + 56,
    # constants of the pool
    "stop": 5 * LINE, "threads": 5 * LINE + 8, "spin": 5 * LINE + 16, "slots": 5 * LINE + 24,
    "scratch": 5 * LINE + 32, "lock": 5 * LINE + 40, "unlock": 5 * LINE + 48,
    "wait": 5 * LINE + 56, "signal": 5 * LINE + 64, "clock": 5 * LINE + 72,
    "clock_id": 5 * LINE + 80, "yield": 5 * LINE + 88,
    # pthread objects, in more room than any platform needs
    "mutex": 6 * LINE, "wake": 7 * LINE, "done": 8 * LINE,
    # set by the handler of SIGINT; the handler before it; what `execute` returned last
    "interrupt": 9 * LINE, "previous": 9 * LINE + 8, "result": 9 * LINE + 16,
}
SHARE_BYTES = 24
PAUSES = 32  # about 1 us between two calls of sched_yield
STATE_BYTES = 10 * LINE
PROGRAM_FIELDS = ("tasks", "task_count", "patches", "patch_count", "times", "shares", "limits",
                  "limit_count", "stoppable", "flags", "flag_count")
TASK_FIELDS = ("function", "args", "items", "grain", "scratch_bytes")
LIMIT_FIELDS = ("base", "bytes", "count", "limit")


def _atomic_load(f, pointer, order="acquire"):
    return f.value(f"load atomic i64, ptr {pointer.text} {order}, align 8", I64)


def _atomic_store(f, number, pointer, order="release"):
    f.emit(f"store atomic i64 {f.i64(number).text}, ptr {pointer.text} {order}, align 8")


def _atomic_add(f, pointer, number, order="seq_cst"):
    """Adds and returns the value before."""
    text = f"atomicrmw add ptr {pointer.text}, i64 {f.i64(number).text} {order}"
    return f.value(text, I64)


def _compare_exchange(f, pointer, expected, new):
    """Whether the word was `expected` and has become `new`."""
    text = f"cmpxchg ptr {pointer.text}, i64 {expected.text}, i64 {new.text} acq_rel acquire"
    pair = f.value(text, I64)
    return f.value(f"extractvalue {{ i64, i1 }} {pair.text}, 1", BOOL)


def _pause(f):
    if _cpu.is_x86():
        f.call("llvm.x86.sse2.pause", VOID, [])
    elif _cpu.is_arm64():
        f.call("llvm.aarch64.hint", VOID, [f.constant(I32, 1)])


def _field(f, state, name):
    return f.byte_offset(state, STATE_FIELDS[name])


def _get(f, state, name, type=I64):
    return f.load(type, _field(f, state, name))


def _call_api(f, state, name, *pointers):
    f.call_pointer(_get(f, state, name, PTR), I32, list(pointers))


def _chunk(f, state, task, index, scratch):
    """Runs chunk `index` of a task whose four fields begin at `task`, or leaves it out."""
    interrupted = f.ne(_atomic_load(f, _field(f, state, "interrupt"), "monotonic"), 0)
    stoppable = f.ne(_atomic_load(f, _field(f, state, "stoppable"), "monotonic"), 0)
    with f.if_(interrupted & stoppable) as stop:
        _atomic_store(f, INTERRUPTED, _field(f, state, "stopped"), "monotonic")
    with stop.otherwise():
        _run_chunk(f, task, index, scratch)


def _run_chunk(f, task, index, scratch):
    function, args = f.load(PTR, task), f.load(PTR, f.byte_offset(task, 8))
    items, grain = f.load(I64, f.byte_offset(task, 16)), f.load(I64, f.byte_offset(task, 24))
    begin = index * grain
    f.call_pointer(function, VOID, [args, begin, f.min_int(begin + grain, items), scratch])


def _define_work(module):
    """work(state, me): takes chunks until none is left; returns how many this thread ran."""
    f = module.function("work", I64, [PTR, I64], "nounwind", "internal")
    state, me = f.parameters
    timed = f.ne(_atomic_load(f, _field(f, state, "shares"), "monotonic"), 0)
    begin = f.alloca(I64, 1)
    with f.if_(timed):
        _write_time(f, state, begin)
    scratch = f.load(PTR, f.at(_get(f, state, "scratch", PTR), me, PTR))
    slots = _get(f, state, "slots", PTR)
    threads = _get(f, state, "threads")
    with f.loop(0, threads, carried=[f.i64(0)], at_least_once=True) as victims:
        ahead = me + victims.index
        victim = f.select(f.lt(ahead, threads), ahead, ahead - threads)
        slot = f.byte_offset(slots, victim * LINE)
        own = f.eq(victims.index, 0)
        with f.while_loop([victims.carried[0]]) as taking:
            packed = _atomic_load(f, slot)
            first, last = packed & 0xFFFFFFFF, f.binary("lshr", packed, 32)
            taking.leave_if(f.ge(first, last))
            new = f.select(own, packed + 1, packed - (1 << 32))
            won = _compare_exchange(f, slot, packed, new)
            with f.if_(won) as claim:
                index = f.select(own, first, last - 1)
                _chunk(f, state, _field(f, state, "function"), index, scratch)
                claim.give(taking.carried[0] + 1)
            with claim.otherwise():
                claim.give(taking.carried[0])
            taking.next(claim.results[0])
        victims.next(taking.results[0])
    ran = victims.results[0]
    with f.if_(timed & f.gt(ran, 0)):
        # the task is still running, as far as its chunks are not reported: `shares` is its own
        shares = _atomic_load(f, _field(f, state, "shares"), "monotonic")
        with f.if_(f.ne(shares, 0)):
            row = f.byte_offset(f.value(f"inttoptr i64 {shares.text} to ptr", PTR),
                                me * SHARE_BYTES)
            with f.if_(f.eq(f.load(I64, row), 0)):       # a late thread may come twice
                f.store(f.load(I64, begin), row)
            _write_time(f, state, f.byte_offset(row, 8))
            f.store(f.load(I64, row, 2) + ran, f.byte_offset(row, 16))
    f.ret(ran)


def _define_worker(module):
    """worker(start) of pthread_create, where `start` points to {state, thread number}."""
    f = module.function("worker", PTR, [PTR])
    state = f.load(PTR, f.parameters[0])
    me = f.load(I64, f.byte_offset(f.parameters[0], 8))
    epoch, sleepers = _field(f, state, "epoch"), _field(f, state, "sleepers")
    mutex, wake = _field(f, state, "mutex"), _field(f, state, "wake")
    with f.while_loop() as living:
        seen = _atomic_load(f, epoch)
        living.leave_if(f.ne(_atomic_load(f, _field(f, state, "stop")), 0))
        ran = f.call("work", I64, [state, me])
        with f.if_(f.gt(ran, 0)):
            before = _atomic_add(f, _field(f, state, "pending"), f.neg(ran))
            last = f.eq(before, ran)
            waits = f.ne(_atomic_load(f, _field(f, state, "waiting"), "seq_cst"), 0)
            with f.if_(last & waits):
                _call_api(f, state, "lock", mutex)
                _call_api(f, state, "signal", _field(f, state, "done"))
                _call_api(f, state, "unlock", mutex)
        spun = _spin(f, state, lambda: f.ne(_atomic_load(f, epoch), seen))
        with f.if_(f.eq(spun, 0)):
            _call_api(f, state, "lock", mutex)
            _atomic_add(f, sleepers, 1)
            with f.while_loop() as sleeping:
                sleeping.leave_if(f.ne(_atomic_load(f, epoch, "seq_cst"), seen))
                _call_api(f, state, "wait", wake, mutex)
            _atomic_add(f, sleepers, -1)
            _call_api(f, state, "unlock", mutex)
    f.ret(f.constant(PTR, 0))


def _spin(f, state, condition):
    """Waits for the condition, at most `spin` rounds; 1 if it came true, else 0.

    Each round pauses `PAUSES` times, then yields: a thread that spins must not keep the one it
    waits for off the core when another process has taken the rest of them.
    """
    with f.while_loop([_get(f, state, "spin")]) as rounds:
        left, = rounds.carried
        with f.while_loop([f.i64(PAUSES)]) as pauses:
            more, = pauses.carried
            holds = condition()
            pauses.leave_if(holds | f.le(more, 0), [holds])
            _pause(f)
            pauses.next(more - 1)
        held, = pauses.results
        rounds.leave_if(held | f.le(left, 0), [held])
        _call_api(f, state, "yield")
        rounds.next(left - 1)
    return f.cast(rounds.results[0], I64, signed=False)


def _define_parallel(module):
    """parallel(state, task, chunks): shares one task out and returns when it is done."""
    f = module.function("parallel", VOID, [PTR, PTR, I64], "nounwind", "internal")
    state, task, chunks = f.parameters
    f.copy_bytes(_field(f, state, "function"), task, 32)
    _atomic_store(f, chunks, _field(f, state, "pending"))
    threads = _get(f, state, "threads")
    participants = f.min_int(threads, chunks)
    slots = _get(f, state, "slots", PTR)
    with f.loop(0, participants, at_least_once=True) as loop:
        first = f.div(chunks * loop.index, participants)
        last = f.div(chunks * (loop.index + 1), participants)
        _atomic_store(f, first | (last << 32), f.byte_offset(slots, loop.index * LINE))
    _atomic_add(f, _field(f, state, "epoch"), 1)
    asleep = _atomic_load(f, _field(f, state, "sleepers"), "seq_cst")
    mutex = _field(f, state, "mutex")
    with f.if_(f.gt(asleep, 0)):
        _call_api(f, state, "lock", mutex)
        with f.loop(0, f.min_int(asleep, participants - 1)):
            _call_api(f, state, "signal", _field(f, state, "wake"))
        _call_api(f, state, "unlock", mutex)
    ran = f.call("work", I64, [state, f.i64(0)])
    pending = _field(f, state, "pending")
    before = _atomic_add(f, pending, f.neg(ran))
    with f.if_(f.ne(before, ran)):
        finished = _spin(f, state, lambda: f.eq(_atomic_load(f, pending), 0))
        with f.if_(f.eq(finished, 0)):
            # a thread was put off its core in a chunk: leave it ours
            _call_api(f, state, "lock", mutex)
            _atomic_store(f, 1, _field(f, state, "waiting"), "seq_cst")
            with f.while_loop() as loop:
                loop.leave_if(f.eq(_atomic_load(f, pending, "seq_cst"), 0))
                _call_api(f, state, "wait", _field(f, state, "done"), mutex)
            _atomic_store(f, 0, _field(f, state, "waiting"))
            _call_api(f, state, "unlock", mutex)


def _define_exceed(module):
    """exceed(limits, count, bases): how many of the limits an unsigned element reaches.

    Calling NumPy for this took 10 of the 160 microseconds of Python in an MLP's step.
    """
    f = module.function("exceed", I64, [PTR, I64, PTR], "nounwind", "internal")
    limits, count, bases = f.parameters
    with f.loop(0, count, carried=[f.i64(0)]) as rows:
        row = f.byte_offset(limits, rows.index * (8 * len(LIMIT_FIELDS)))
        base, size, number, limit = (f.load(I64, row, i) for i in range(len(LIMIT_FIELDS)))
        data = f.load(PTR, bases, base)
        found = rows.carried[0]
        for type in (I8, I16, I32, I64):
            with f.if_(f.eq(size, type.size)) as own:
                with f.loop(0, number, carried=[f.i64(0)]) as loop:
                    element = f.cast(f.load(type, data, loop.index), I64, signed=False)
                    outside = f.compare("uge", element, limit)
                    loop.next(loop.carried[0] | f.cast(outside, I64, signed=False))
                own.give(found + loop.results[0])
            with own.otherwise():
                own.give(found)
            found = own.results[0]
        rows.next(found)
    f.ret(rows.results[0])


def _define_flagged(module):
    """flagged(flags, count): whether a kernel met an index out of range, among pairs of words."""
    f = module.function("flagged", BOOL, [PTR, I64], "nounwind", "internal")
    flags, count = f.parameters
    with f.loop(0, count, carried=[f.i64(0)]) as loop:
        loop.next(loop.carried[0] | _atomic_load(f, f.byte_offset(flags, loop.index * 16),
                                                 "monotonic"))
    f.ret(f.ne(loop.results[0], 0))


def _define_execute(module):
    """execute(state, program, bases): applies the patches, then runs the tasks in order.

    Returns how many limits are exceeded, in which case nothing runs; INTERRUPTED or FLAGGED if it
    was stopped.
    """
    f = module.function("execute", I64, [PTR, PTR, PTR])
    state, program, bases = f.parameters
    (tasks, count, patches, patch_count, times, shares, limits, limit_count, stoppable, flags,
     flag_count) = (f.load(type, f.byte_offset(program, 8 * i)) for i, type in enumerate(
         (PTR, I64, PTR, I64, PTR, I64, PTR, I64, I64, PTR, I64)))
    exceeded = f.call("exceed", I64, [limits, limit_count, bases])
    with f.if_(f.eq(exceeded, 0)) as branch:
        branch.give(f.call("run", I64, [state, tasks, count, patches, patch_count, times, shares,
                                        bases, stoppable, flags, flag_count]))
    with branch.otherwise():
        branch.give(exceeded)
    f.store(branch.results[0], _field(f, state, "result"))
    f.ret(branch.results[0])


def _define_run(module):
    """run(…): what `execute` does where no limit is exceeded; why it was stopped, or 0.

    Interrupted only before task number `stoppable`, which is the first that writes over an input.
    After a task that met an index out of range no other runs: parameters keep their values.
    """
    f = module.function("run", I64, [PTR, PTR, I64, PTR, I64, PTR, I64, PTR, I64, PTR, I64],
                        "nounwind", "internal")
    (state, tasks, count, patches, patch_count, times, shares, bases, stoppable, flags,
     flag_count) = f.parameters
    stopped = _field(f, state, "stopped")
    _atomic_store(f, 0, stopped)
    with f.loop(0, patch_count) as loop:
        row = f.byte_offset(patches, loop.index * 24)
        base = f.load(I64, bases, f.load(I64, f.byte_offset(row, 8)))
        f.store(base + f.load(I64, f.byte_offset(row, 16)), f.load(PTR, row))
    threads = _get(f, state, "threads")
    scratch = f.load(PTR, _get(f, state, "scratch", PTR))
    timed = f.ne(f.value(f"ptrtoint ptr {times.text} to i64", I64), 0)
    _atomic_store(f, 0, _field(f, state, "shares"), "monotonic")
    with f.if_(timed):
        _write_time(f, state, times)
    with f.loop(0, count) as loop:
        may_stop = f.lt(loop.index, stoppable)
        _atomic_store(f, f.cast(may_stop, I64, signed=False), _field(f, state, "stoppable"))
        interrupted = f.ne(_atomic_load(f, _field(f, state, "interrupt"), "monotonic"), 0)
        with f.if_(may_stop & interrupted):
            _atomic_store(f, INTERRUPTED, stopped)
        with f.if_(f.call("flagged", BOOL, [flags, flag_count])):
            _atomic_store(f, FLAGGED, stopped)
        with f.if_(f.eq(_atomic_load(f, stopped), 0)):
            _run_task(f, loop.index, state, tasks, threads, scratch, times, shares, timed)
    f.ret(_atomic_load(f, stopped))


def _run_task(f, index, state, tasks, threads, scratch, times, shares, timed):
    """Runs one task on as many threads as it has chunks for."""
    with f.if_(timed):
        _atomic_store(f, shares + index * (threads * SHARE_BYTES), _field(f, state, "shares"),
                      "monotonic")
    task = f.byte_offset(tasks, index * (8 * len(TASK_FIELDS)))
    items, grain = f.load(I64, task, 2), f.load(I64, task, 3)
    chunks = f.div(items + grain - 1, grain)
    with f.if_(f.lt(chunks, 2) | f.lt(threads, 2)) as serial:
        with f.loop(0, chunks) as each:
            _chunk(f, state, task, each.index, scratch)
    with serial.otherwise():
        f.call("parallel", VOID, [state, task, chunks])
    with f.if_(timed):
        _write_time(f, state, f.at(times, index + 1, I64))


def _write_time(f, state, destination):
    moment = f.alloca(I64, 2)
    clock_id = f.cast(_get(f, state, "clock_id"), I32)
    f.call_pointer(_get(f, state, "clock", PTR), I32, [clock_id, moment])
    f.store(f.load(I64, moment) * 1_000_000_000 + f.load(I64, moment, 1), destination)


def _define_pauses(module):
    """pauses(n): n pauses, to find out how long one takes."""
    f = module.function("pauses", VOID, [I64])
    with f.loop(0, f.parameters[0]):
        _pause(f)


_WATCHED = "@watched_state"


def _define_interrupts(module):
    """on_interrupt(signal), a handler for the pool that watch(state) named last."""
    f = module.function("watch", VOID, [PTR])
    f.emit(f"store ptr {f.parameters[0].text}, ptr {_WATCHED}, align 8")
    f = module.function("on_interrupt", VOID, [I32])
    state = f.value(f"load ptr, ptr {_WATCHED}, align 8", PTR)
    _atomic_store(f, 1, _field(f, state, "interrupt"))
    f.call_pointer(_get(f, state, "previous", PTR), VOID, [f.parameters[0]])


def pool_ir():
    """The pool's module: `execute`, `worker`, `pauses`, `watch` and `on_interrupt`."""
    module = Module("thread pool")
    for define in (_define_work, _define_worker, _define_parallel, _define_flagged, _define_run,
                   _define_exceed, _define_execute, _define_pauses, _define_interrupts):
        define(module)
    return f"{module.text()}\n{_WATCHED} = internal global ptr null, align 8\n"
