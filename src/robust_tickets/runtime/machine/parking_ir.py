"""How the workers' threads wait, as LLVM IR: attentively for a moment, then asleep.

A thread that sleeps has set a flag and waits on a condition with a mutex; whoever wakes it clears
the flag. What it waits for lives in atomics elsewhere, so nobody takes a mutex unless somebody sleeps.
"""

LINE = 128
"""Bytes from one thread's data to another's: two cache lines, for processors that fetch lines in pairs."""
CONDITION = 2 * LINE
"""Bytes from a mutex to its condition; POSIX systems need up to 64 bytes for either."""
PAIR = 4 * LINE
"""Bytes of both, with room to spare on either side."""


def pause_ir(triple: str) -> tuple[str, str]:
    """Return the instruction by which a thread waits attentively on a processor, and the line that declares it."""
    if triple.startswith("x86_64"):
        return "call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"
    if triple.startswith(("aarch64", "arm64")):
        return "call void @llvm.aarch64.isb(i32 15)", "declare void @llvm.aarch64.isb(i32)"
    return "fence seq_cst", ""


PARKING = f"""
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)

define void @rest(i32 %count) {{
entry:
  br label %loop
loop:
  %i = phi i32 [0, %entry], [%j, %loop]
  PAUSE
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %count
  br i1 %more, label %loop, label %done
done:
  ret void
}}

define internal void @prepare(ptr %mutex) {{
  %condition = getelementptr i8, ptr %mutex, i64 {CONDITION}
  call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}}

; Sets a flag to 0 and wakes the thread that sleeps until it is.
define internal void @wake(ptr %mutex, ptr %flag) noinline cold {{
  %condition = getelementptr i8, ptr %mutex, i64 {CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i32 0, ptr %flag seq_cst, align 4
  call i32 @pthread_cond_signal(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}

; Sleeps until another thread wakes this one. Whoever changes what this thread waits for does so before it reads the
; flag, and this thread sets the flag before it looks a last time: so one of them sees the other.
define internal void @sleep(ptr %mutex, ptr %flag, ptr %pool, ptr %share) noinline cold {{
entry:
  %condition = getelementptr i8, ptr %mutex, i64 {CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  %old = atomicrmw xchg ptr %flag, i32 1 seq_cst
  %caller = icmp eq ptr %share, null
  br i1 %caller, label %for_tasks, label %for_share
for_tasks:
  %over = call i1 @is_over(ptr %pool)
  br i1 %over, label %stay_awake, label %check
for_share:
  %wanted = call i1 @is_wanted(ptr %pool, ptr %share)
  br i1 %wanted, label %stay_awake, label %check
stay_awake:
  store atomic i32 0, ptr %flag seq_cst, align 4
  br label %awake
check:
  %flagged = load atomic i32, ptr %flag seq_cst, align 4
  %asleep = icmp ne i32 %flagged, 0
  br i1 %asleep, label %wait, label %awake
wait:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
awake:
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}
"""
