"""The native side of the workers: who takes which tasks, and how threads wait, as LLVM IR.

Each thread has a *share*: the tasks of the current step that are its own, [first, last) in one 64-bit word. It takes
tasks from the front of its share, a quarter of what is left at a time, and when nothing is left, from the back of
the others'. A step is over when `pending`, the number of tasks nobody has finished, is 0: not when all threads
have arrived. So a thread that the system keeps from running holds up a step only if it was stopped while it
computed; if it was stopped while it waited, the others take its share, and it joins whichever step is current when
it is back.

Why no thread can mistake an old step for a new one: whoever has taken tasks knows that the step cannot end
before it says they are done, and only then reads what the step is.
"""

from robust_tickets.runtime.machine.parking_ir import LINE, PAIR, PARKING, pause_ir

THREADS, PAUSES, STOP, PENDING, WAITING, CALLER = 0, 4, 8, LINE, LINE + 4, 2 * LINE
"""Bytes from the start of a pool to its fields; `CALLER` is the mutex and condition that the caller sleeps on."""
SHARES = CALLER + PAIR
"""Bytes from the start of a pool to the data of thread 0."""
STEP, GRAIN, PARKED, SLEEP = 8, 16, 20, LINE
"""Bytes from the start of a thread's data to its fields; its share comes first."""
SHARE = SLEEP + PAIR
"""Bytes of a thread's data."""


def pool_size(threads: int) -> int:
    """Return the bytes of a pool, which must start at a multiple of `LINE` and be zero at first."""
    return SHARES + threads * SHARE


def workers_ir(triple: str) -> str:
    """Return LLVM IR of the functions of a pool.

    - `initialise(pool)`, before anything else, with `THREADS` and `PAUSES` set.
    - `run(pool, steps, count)`: executes steps one after the other; returns when the last is over.
    - `help(pool, thread)`: takes part in whatever is run, until `stop(pool)`.
    - `rest(count)`: pauses that often, as a waiting thread does.
    """
    pause, declaration = pause_ir(triple)
    return (PARKING + _POOL).replace("PAUSE", pause) + declaration + "\n"


_POOL = f"""
; ---- what threads wait for

define internal i1 @is_over(ptr %pool) {{
  %pending.p = getelementptr i8, ptr %pool, i64 {PENDING}
  %pending = load atomic i32, ptr %pending.p seq_cst, align 4
  %over = icmp eq i32 %pending, 0
  ret i1 %over
}}

define internal i1 @is_wanted(ptr %pool, ptr %share) {{
  %range = load atomic i64, ptr %share seq_cst, align 8
  %first = trunc i64 %range to i32
  %upper = lshr i64 %range, 32
  %last = trunc i64 %upper to i32
  %some = icmp slt i32 %first, %last
  %stop.p = getelementptr i8, ptr %pool, i64 {STOP}
  %stop = load atomic i32, ptr %stop.p seq_cst, align 4
  %stopped = icmp ne i32 %stop, 0
  %wanted = or i1 %some, %stopped
  ret i1 %wanted
}}

; ---- taking tasks

define internal ptr @share_of(ptr %pool, i32 %thread) {{
  %wide = zext i32 %thread to i64
  %bytes = mul i64 %wide, {SHARE}
  %offset = add i64 %bytes, {SHARES}
  %share = getelementptr i8, ptr %pool, i64 %offset
  ret ptr %share
}}

define internal i64 @pack(i32 %first, i32 %last) {{
  %low = zext i32 %first to i64
  %wide = zext i32 %last to i64
  %high = shl i64 %wide, 32
  %range = or i64 %low, %high
  ret i64 %range
}}

; Returns a range of tasks that is now this thread's to do, taken from one end of a share; empty if none is left.
define internal i64 @take(ptr %share, i1 %from_back) {{
entry:
  %grain.p = getelementptr i8, ptr %share, i64 {GRAIN}
  br label %look
look:
  %range = load atomic i64, ptr %share monotonic, align 8
  %first = trunc i64 %range to i32
  %upper = lshr i64 %range, 32
  %last = trunc i64 %upper to i32
  %left = sub i32 %last, %first
  %some = icmp sgt i32 %left, 0
  br i1 %some, label %try, label %none
try:
  %grain = load atomic i32, ptr %grain.p monotonic, align 4
  %more = add i32 %left, 3
  %quarter = lshr i32 %more, 2
  %small = icmp ult i32 %quarter, %grain
  %wish = select i1 %small, i32 %grain, i32 %quarter
  %few = icmp ult i32 %left, %wish
  %count = select i1 %few, i32 %left, i32 %wish
  %split.back = sub i32 %last, %count
  %split.front = add i32 %first, %count
  %taken.first = select i1 %from_back, i32 %split.back, i32 %first
  %taken.last = select i1 %from_back, i32 %last, i32 %split.front
  %left.first = select i1 %from_back, i32 %first, i32 %split.front
  %left.last = select i1 %from_back, i32 %split.back, i32 %last
  %taken = call i64 @pack(i32 %taken.first, i32 %taken.last)
  %rest = call i64 @pack(i32 %left.first, i32 %left.last)
  %exchange = cmpxchg ptr %share, i64 %range, i64 %rest acquire monotonic, align 8
  %mine = extractvalue {{ i64, i1 }} %exchange, 1
  br i1 %mine, label %got, label %look
got:
  ret i64 %taken
none:
  ret i64 0
}}

; Does what is left of the current step, the thread's own share first; returns how many tasks it did.
define internal i32 @work(ptr %pool, i32 %thread, i32 %threads) {{
entry:
  br label %next_share
next_share:
  %turn = phi i32 [0, %entry], [%turn.next, %left]
  %owner = phi i32 [%thread, %entry], [%owner.next, %left]
  %sum = phi i32 [0, %entry], [%done, %left]
  %share = call ptr @share_of(ptr %pool, i32 %owner)
  %step.p = getelementptr i8, ptr %share, i64 {STEP}
  %others = icmp ne i32 %turn, 0
  br label %again
again:
  %done = phi i32 [%sum, %next_share], [%done.next, %execute]
  %range = call i64 @take(ptr %share, i1 %others)
  %none = icmp eq i64 %range, 0
  br i1 %none, label %left, label %execute
execute:
  %first = trunc i64 %range to i32
  %upper = lshr i64 %range, 32
  %last = trunc i64 %upper to i32
  %step = load atomic ptr, ptr %step.p monotonic, align 8
  call void @execute(ptr %step, i32 %first, i32 %last)
  %count = sub i32 %last, %first
  %done.next = add i32 %done, %count
  br label %again
left:
  %turn.next = add i32 %turn, 1
  %owner.more = add i32 %owner, 1
  %wraps = icmp eq i32 %owner.more, %threads
  %owner.next = select i1 %wraps, i32 0, i32 %owner.more
  %more = icmp ult i32 %turn.next, %threads
  br i1 %more, label %next_share, label %return
return:
  ret i32 %done
}}

define internal void @execute(ptr %step, i32 %first, i32 %last) {{
  %function = load ptr, ptr %step, align 8
  %arguments.p = getelementptr i8, ptr %step, i64 8
  %arguments = load ptr, ptr %arguments.p, align 8
  call void %function(ptr %arguments, i32 %first, i32 %last)
  ret void
}}

; ---- the threads

define void @initialise(ptr %pool) {{
entry:
  %threads = load i32, ptr %pool, align 4
  %caller = getelementptr i8, ptr %pool, i64 {CALLER}
  call void @prepare(ptr %caller)
  br label %next
next:
  %thread = phi i32 [0, %entry], [%thread.next, %next]
  %share = call ptr @share_of(ptr %pool, i32 %thread)
  %mutex = getelementptr i8, ptr %share, i64 {SLEEP}
  call void @prepare(ptr %mutex)
  %thread.next = add i32 %thread, 1
  %more = icmp ult i32 %thread.next, %threads
  br i1 %more, label %next, label %done
done:
  ret void
}}

define void @help(ptr %pool, i32 %thread) {{
entry:
  %threads = load i32, ptr %pool, align 4
  %pauses.p = getelementptr i8, ptr %pool, i64 {PAUSES}
  %pauses = load i32, ptr %pauses.p, align 4
  %stop.p = getelementptr i8, ptr %pool, i64 {STOP}
  %pending.p = getelementptr i8, ptr %pool, i64 {PENDING}
  %waiting.p = getelementptr i8, ptr %pool, i64 {WAITING}
  %caller = getelementptr i8, ptr %pool, i64 {CALLER}
  %share = call ptr @share_of(ptr %pool, i32 %thread)
  %parked.p = getelementptr i8, ptr %share, i64 {PARKED}
  %mutex = getelementptr i8, ptr %share, i64 {SLEEP}
  br label %idle
idle:
  br label %spin
spin:
  %i = phi i32 [0, %idle], [%j, %pause]
  %wanted = call i1 @is_wanted(ptr %pool, ptr %share)
  br i1 %wanted, label %awake, label %pause
pause:
  PAUSE
  %j = add i32 %i, 1
  %patient = icmp ult i32 %j, %pauses
  br i1 %patient, label %spin, label %park
park:
  call void @sleep(ptr %mutex, ptr %parked.p, ptr %pool, ptr %share)
  br label %idle
awake:
  %stop = load atomic i32, ptr %stop.p acquire, align 4
  %stopped = icmp ne i32 %stop, 0
  br i1 %stopped, label %return, label %busy
busy:
  %done = call i32 @work(ptr %pool, i32 %thread, i32 %threads)
  %any = icmp ne i32 %done, 0
  br i1 %any, label %report, label %idle
report:
  %pending = atomicrmw sub ptr %pending.p, i32 %done seq_cst
  %final = icmp eq i32 %pending, %done
  br i1 %final, label %look, label %idle
look:
  %waiting = load atomic i32, ptr %waiting.p seq_cst, align 4
  %asleep = icmp ne i32 %waiting, 0
  br i1 %asleep, label %notify, label %idle
notify:
  call void @wake(ptr %caller, ptr %waiting.p)
  br label %idle
return:
  ret void
}}

; Gives a thread a range of a step's tasks, and wakes it if it sleeps.
define internal void @assign(ptr %pool, ptr %step, i32 %grain, i32 %thread, i64 %range) {{
entry:
  %share = call ptr @share_of(ptr %pool, i32 %thread)
  %step.p = getelementptr i8, ptr %share, i64 {STEP}
  %grain.p = getelementptr i8, ptr %share, i64 {GRAIN}
  store atomic ptr %step, ptr %step.p monotonic, align 8
  store atomic i32 %grain, ptr %grain.p monotonic, align 4
  %own = icmp eq i32 %thread, 0
  br i1 %own, label %mine, label %theirs
mine:
  store atomic i64 %range, ptr %share release, align 8
  br label %done
theirs:
  %old = atomicrmw xchg ptr %share, i64 %range seq_cst
  %parked.p = getelementptr i8, ptr %share, i64 {PARKED}
  %parked = load atomic i32, ptr %parked.p seq_cst, align 4
  %asleep = icmp ne i32 %parked, 0
  br i1 %asleep, label %notify, label %done
notify:
  %mutex = getelementptr i8, ptr %share, i64 {SLEEP}
  call void @wake(ptr %mutex, ptr %parked.p)
  br label %done
done:
  ret void
}}

define void @run(ptr %pool, ptr %steps, i32 %count) {{
entry:
  %threads = load i32, ptr %pool, align 4
  %wide = zext i32 %threads to i64
  %alone = icmp eq i32 %threads, 1
  %pauses.p = getelementptr i8, ptr %pool, i64 {PAUSES}
  %pauses = load i32, ptr %pauses.p, align 4
  %pending.p = getelementptr i8, ptr %pool, i64 {PENDING}
  %waiting.p = getelementptr i8, ptr %pool, i64 {WAITING}
  %caller = getelementptr i8, ptr %pool, i64 {CALLER}
  %none = icmp eq i32 %count, 0
  br i1 %none, label %return, label %next_step
next_step:
  %s = phi i32 [0, %entry], [%s.next, %over]
  %index = zext i32 %s to i64
  %bytes = mul i64 %index, 24
  %step = getelementptr i8, ptr %steps, i64 %bytes
  %tasks.p = getelementptr i8, ptr %step, i64 16
  %tasks = load i32, ptr %tasks.p, align 4
  %grain.p = getelementptr i8, ptr %step, i64 20
  %grain = load i32, ptr %grain.p, align 4
  %indivisible = icmp ule i32 %tasks, %grain
  %single = icmp ule i32 %tasks, 1
  %whole = or i1 %indivisible, %single
  %serial = or i1 %alone, %whole
  br i1 %serial, label %by_myself, label %together
by_myself:
  call void @execute(ptr %step, i32 0, i32 %tasks)
  br label %over
together:
  store atomic i32 %tasks, ptr %pending.p monotonic, align 4
  %total = zext i32 %tasks to i64
  %last.product.start = mul i64 %wide, %total
  br label %next_thread
next_thread:
  ; The caller's own share is given last: the others can begin meanwhile.
  %t = phi i64 [%wide, %together], [%t.next, %next_thread]
  %last.product = phi i64 [%last.product.start, %together], [%first.product, %next_thread]
  %t.next = sub i64 %t, 1
  %first.product = mul i64 %t.next, %total
  %first.wide = udiv i64 %first.product, %wide
  %last.wide = udiv i64 %last.product, %wide
  %first = trunc i64 %first.wide to i32
  %last = trunc i64 %last.wide to i32
  %range = call i64 @pack(i32 %first, i32 %last)
  %thread = trunc i64 %t.next to i32
  call void @assign(ptr %pool, ptr %step, i32 %grain, i32 %thread, i64 %range)
  %assigned = icmp eq i64 %t.next, 0
  br i1 %assigned, label %busy, label %next_thread
busy:
  %done = call i32 @work(ptr %pool, i32 0, i32 %threads)
  %pending = atomicrmw sub ptr %pending.p, i32 %done seq_cst
  %final = icmp eq i32 %pending, %done
  br i1 %final, label %over, label %spin
spin:
  %i = phi i32 [0, %busy], [%j, %pause]
  %ended = call i1 @is_over(ptr %pool)
  br i1 %ended, label %over, label %pause
pause:
  PAUSE
  %j = add i32 %i, 1
  %patient = icmp ult i32 %j, %pauses
  br i1 %patient, label %spin, label %park
park:
  call void @sleep(ptr %caller, ptr %waiting.p, ptr %pool, ptr null)
  br label %spin.again
spin.again:
  %really = call i1 @is_over(ptr %pool)
  br i1 %really, label %over, label %park
over:
  %s.next = add i32 %s, 1
  %more = icmp ult i32 %s.next, %count
  br i1 %more, label %next_step, label %return
return:
  ret void
}}

define void @stop(ptr %pool) {{
entry:
  %threads = load i32, ptr %pool, align 4
  %stop.p = getelementptr i8, ptr %pool, i64 {STOP}
  %old = atomicrmw xchg ptr %stop.p, i32 1 seq_cst
  br label %next
next:
  %thread = phi i32 [0, %entry], [%thread.next, %next]
  %share = call ptr @share_of(ptr %pool, i32 %thread)
  %parked.p = getelementptr i8, ptr %share, i64 {PARKED}
  %mutex = getelementptr i8, ptr %share, i64 {SLEEP}
  call void @wake(ptr %mutex, ptr %parked.p)
  %thread.next = add i32 %thread, 1
  %more = icmp ult i32 %thread.next, %threads
  br i1 %more, label %next, label %done
done:
  ret void
}}
"""
