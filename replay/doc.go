// Package replay is the pure turn machine: it runs an orchestration function on a coroutine, matches what the code
// asks for with what history has, and returns what a turn decided.
//
// It owns coroutines and their order, futures, the turn loop, unwinding, nondeterminism detection and misuse
// detection. It must not know a clock, a random source, a disk, a network, a goroutine of its own, a logger, or who
// calls it: a turn's time, entropy and messages come in ([Input]), a [Decision] goes out.
//
// Invariants:
//   - The same history, time, entropy and messages give the same decision, byte for byte.
//   - A resident machine that advanced through turns and a fresh machine that was given their segments decide alike.
//   - Exactly one of engine and code runs at any moment; between turns it is the engine.
//   - The ids of a turn's events have no gap and follow those before. What code asked for has an event at the end of the
//     turn, unless the turn failed.
//   - An arrival is kept only while no wait may take it.
//
// # The turn loop
//
// One loop serves fresh turns and replay. The next event of history, old or just made from a message, is applied; if
// that made something ready, code runs until it rests; then comes the next event. An event that schedules something is
// matched with the oldest action that code has emitted. When history has ended, the oldest emitted action makes its
// own event, which is applied in the same way, until no action is left. What binding an action delivers at once (a
// kept arrival, the answer of an inline system activity) is delivered in that step, in both cases.
//
// # Messages that are left
//
// An execution holds at most Limits.Carried raised events and queue messages that no wait has taken, and
// Limits.CarriedBytes of them; continue-as-new hands them on. Nothing that comes beyond that ends it or is lost: the turn
// defers it, and the host keeps it. The machine converts an arrival if a wait is open for its name or if it can be held,
// and if no earlier one of its name was deferred in this turn. A start, a cancel and a completion are never deferred; they
// pass what is. What is deferred stays so for the whole turn, also when code then asks for it: so a turn's converted
// events are at the front of its segment, and replay needs to know neither the limits nor what was deferred.
//
// What the host does ([NameOf] gives the name of a message):
//   - A message is in Input.Messages only if every older one of its name that waits for the instance is there too, before
//     it. The machine cannot see an older one that is left out. So while a name has a message in the inbox, a new one of
//     that name goes to the inbox behind it, unless the turn takes both.
//   - A turn gets a bounded page: the oldest message of each name in the last Decision.Wanted, then others by age. Of what
//     is left only starts, cancels and completions must come into the next turn whatever is in front of them. Input.Behind
//     says that more waits; it needs to be right only for events and queue messages. What is held at continue-as-new is
//     written again, so the first turn of an execution should get one message by age, none if it carries some: then a
//     round of "take one, continue as new" writes what it takes and no more.
//   - Of the page, the positions in Decision.Deferred are not consumed: an inbox row stays, and an arrival that this very
//     commit was to accept is made durable by itself before its sender is answered. Nothing of its name may overtake it.
//   - A decision with neither events nor rejected messages has consumed nothing. It is not committed. The machine is as it
//     was and can be kept.
//   - After the commit the instance has another turn at once if a message that is left has a name in Decision.Wanted. If
//     none has, what is left causes no turn; it comes along with the next one.
//   - An instance that is loaded while messages wait has a turn with a page, or with none and Input.Behind set, so that its
//     host learns what is wanted.
//   - After continue-as-new what is left stays for the next execution, whose first turn gets the start and a page. After
//     any other end it is a message to an instance that has ended.
//
// An event that is deferred has not arrived: a positional wait that opens later may take it.
//
// # What code may be told once
//
// A patch and a side effect are decided where code first asks, and what was decided is recorded by the turn: a marker for
// the new way of a patch, nothing for the old one, a value for a side effect. Neither call blocks, so coroutines run alike
// in a fresh turn and on replay. Markers are a set and stand outside the match of actions with events; values are matched
// in order, like every action. A panicked turn records both, since its replay must come to the same panic.
//
// # How an execution ends
//
// By rank: a failure of the turn (nondeterminism, an infrastructure or poison failure of something it waits for, a
// limit), a cancel, a panic, continue-as-new, the handler's return. Children whose policy is wait hold every end but
// the first; while it is held no code runs. A failure of something that the code waits for ends the execution where its
// event is applied, in order, and only if the code has not given it up and nothing else has ended the execution before.
//
// # Undo steps
//
// An execution that has undo steps (Context.Compensate, Context.Cleanup) and ends badly goes on: CompensationStarted fixes
// its end, all coroutines are unwound, what is open is given up as at any end, and in the same turn the first step begins, on
// a coroutine of its own. The steps are run by the loop that runs code, in fresh turns and on replay. What the code had asked
// for when it ended is recorded before that event. A limit is not checked on replay, so the event of an end or of a step that
// a limit caused says where the code was stopped (CodeStop): the variables that steps see must be as they were.
//
// The events of messages are at the front of a turn, so steps begin when all messages of the turn that ends the code have been
// applied. Of what code left open that panicked, was cancelled or stopped, an answer behind the end reaches the steps if it is
// in that turn and not if it comes later. How the execution ends does not depend on it, and replay sees the same turn.
//
// Start reading at [Machine.Advance] (machine.go), then apply.go (an event meets code), bind.go (an action meets its
// event), settle.go (a turn ends), coroutine.go and unwind.go (who runs, and how it stops), compose.go (waiting for
// several things, cancelling), patch.go and sideeffect.go (what is decided once), cleanup.go and codestop.go (undo steps), inputs.go (what may differ).
package replay
