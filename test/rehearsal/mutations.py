#!/usr/bin/env python3
"""Shows that the rehearsals find bugs: plants one at a time in a copy of the sources and says which test notices.

    make tests && test/rehearsal/mutations.py [name...]     SEEDS=1000: rehearsals of test_rehearsal_faults

A drawn rehearsal finds most; the other rehearsals are asked where none of so many rehearsals does. Prints a Markdown table.
Exit 1 if a bug is found by no test, or if the code has changed so that one cannot be planted.
"""
import os, shutil, subprocess, sys, tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TESTS = ["faults", "caps", "outage", "limits", "crash"]

# name: [(file, old, new), ...]
MUTATIONS = {
    "reservation is not committed before the attempt starts": [
        ("actors/archivist.c", "case WRITE_RESERVE: return ledger_reserve(txn, write->attempt, error);",
         "case WRITE_RESERVE: return true;"),
        ("actors/archivist.c", "static bool apply_end(store_txn_t *txn, write_t *write, error_info_t *error) {",
         "static bool apply_end(store_txn_t *txn, write_t *write, error_info_t *error) {\n"
         "    attempt_state_t state = write->attempt->state;\n    attempt_t was = *write->attempt;\n"
         "    write->attempt->state = ATTEMPT_RESERVED;\n"
         "    if (!ledger_reserve(txn, write->attempt, error))\n        return false;\n"
         "    was.number = write->attempt->number;\n    *write->attempt = was;\n    write->attempt->state = state;"),
    ],
    "accountant sends RESERVED without waiting for the commit": [
        ("actors/accountant.c", "    send_write(accountant, WRITE_RESERVE, ticket);",
         "    actor_tell(accountant->pool, accountant->self, MSG_RESERVED, 0, ticket, ticket_free);"),
    ],
    "settlement forgets to release the reservation": [
        ("actors/accountant.c", "    reserve_in_memory(accountant, ticket, -1);\n", ""),
    ],
    "reservation is not counted against the caps": [
        ("actors/accountant.c", "    reserve_in_memory(accountant, ticket, 1);\n", ""),
        ("actors/accountant.c", "    reserve_in_memory(accountant, ticket, -1);\n", ""),
    ],
    "settled money is not counted against the caps": [
        ("actors/accountant.c", "    charge_in_memory(accountant, ticket);\n", ""),
    ],
    "doubts of earlier starts are not counted": [
        ("actors/accountant.c", "    money_t charged = money_add(balance->settled, balance->doubts);",
         "    money_t charged = balance->settled;"),
    ],
    "the newest answers are not found again": [
        ("store/request_index.c", "search.number = entry && entry->number <= committed ? entry->number : 0;",
         "search.number = 0;"),
    ],
    "open attempts are not recovered at start": [
        ("tools/cli/prepare.c", "return ledger_recover(txn, t->utc, &t->taken->recovered, &t->taken->recovered_amount, error) &&\n",
         "return\n"),
    ],
    "archivist acknowledges before the commit": [
        ("actors/archivist.c", "        gather(archivist, write);\n",
         "        if (write->kind == WRITE_END) {\n"
         "            write_t *copy = write_create(WRITE_END, NULL, memory_copy(write->attempt, sizeof *write->attempt), free);\n"
         "            copy->attempt = copy->context;\n"
         "            copy->packed = write->packed;\n            write->packed = BUFFER_EMPTY;\n"
         "            copy->embed_keys = write->embed_keys;\n            copy->embed_count = write->embed_count;\n"
         "            write->embed_keys = NULL;\n"
         "            actor_tell(write->reply_to, archivist->self, MSG_WRITTEN, 0, write, write_free);\n"
         "            write = copy;\n        }\n        gather(archivist, write);\n"),
    ],
    "archivist takes a failed commit for a good one": [
        ("actors/archivist.c", "        archivist->halted = true;\n", "        commit->error.class_ = ERROR_NONE;\n"),
    ],
    "some responses are settled, but not stored": [
        ("actors/archivist.c", "    if (write->packed.length > 0 &&",
         "    if (write->packed.length > 0 && write->attempt->number % 7 &&"),
    ],
    "stage does not look up stored responses": [
        ("actors/stage_actor.c", "    *stored = response_find(txn, ticket->request.id);", "    *stored = 0;"),
    ],
    "paid answer without usage is settled at nothing": [
        ("actors/accountant.c", "if (outcome->verdict == RETRY_ANSWER && outcome->usage.present) {",
         "if (outcome->verdict == RETRY_ANSWER) {"),
    ],
    "garbled answer is taken for free": [
        ("core/net/retry.h", 'ROW(GARBLED, "garbled", false,', 'ROW(GARBLED, "garbled", true,'),
    ],
    "broken exchange is taken for free": [
        ("core/net/retry.h", 'ROW(BROKEN, "broken", false,', 'ROW(BROKEN, "broken", true,'),
    ],
    "timeout is taken for free": [
        ("core/net/retry.h", 'ROW(TIMEOUT, "timeout", false,', 'ROW(TIMEOUT, "timeout", true,'),
    ],
    "cached tokens are charged twice": [
        ("core/llm/prices.c", "cost_of(price->input, usage->prompt_tokens - cached)",
         "cost_of(price->input, usage->prompt_tokens)"),
    ],
    "worst case forgets the output": [
        ("core/llm/prices.c", "    return money_add(cost_of(dearer, input_bound), cost_of(price->output, output_maximum));",
         "    (void)output_maximum;\n    return cost_of(dearer, input_bound);"),
    ],
    "daily charge goes to the day of the settlement": [
        ("actors/accountant.c", "                           day_charge(accountant, ticket->attempt.day)};\n    for (size_t i = 0; i < sizeof charges / sizeof charges[0]; i++)\n        charges[i]->charged",
         "                           day_charge(accountant, text_day_of(clock_utc(actor_clock(accountant->self))) + 1)};\n    for (size_t i = 0; i < sizeof charges / sizeof charges[0]; i++)\n        charges[i]->charged"),
    ],
    "window is one request too wide": [
        ("core/net/limiter.c", "limiter->count >= (size_t)limiter->rpm", "limiter->count > (size_t)limiter->rpm"),
        ("core/net/limiter.c", "limiter->count - (size_t)limiter->rpm + 1", "limiter->count - (size_t)limiter->rpm"),
        ("core/net/limiter.c", "gap_of(limiter, 1, limiter->rpm);", "gap_of(limiter, 1, limiter->rpm + 1);"),
    ],
    "window is two seconds short": [
        ("core/net/limiter.c", "    limiter->span = WINDOW + margin;", "    limiter->span = WINDOW + margin - 2 * CLOCK_SECOND;"),
    ],
    "window is forgotten at a restart": [
        ("actors/pool/restore.c", "    return took >= 0 && took < begun ? begun - took : 0;", "    return took >= 0 ? begun + 3 * CLOCK_MINUTE : 0;"),
    ],
    "late starts are not counted in the window": [
        ("actors/pool/endpoint.c", "    return now - grant->at > LATE_START;", "    return now < grant->at;"),
    ],
    "Retry-After does not block the endpoint": [
        ("actors/pool/endpoint.c", "    limiter_block(endpoint->limiter, until);\n", ""),
        ("actors/pool/endpoint.c", "        endpoint->blocked_until = until;", "        endpoint->blocked_until = now;"),
    ],
    "exhausted quota does not shut the endpoint": [
        ("actors/pool/endpoint.c", "if (lesson->verdict == RETRY_QUOTA || ", "if ("),
    ],
    "usage above the bound does not shut the endpoint": [
        ("actors/pool/endpoint.c", "    if (lesson->verdict == RETRY_QUOTA || lesson->verdict == RETRY_CREDENTIALS ||\n"
         "        lesson->over_bound)", "    if (lesson->verdict == RETRY_QUOTA || lesson->verdict == RETRY_CREDENTIALS)"),
    ],
    "breaker never opens": [
        ("core/net/breaker.c", "FAILURES_TO_OPEN = 5", "FAILURES_TO_OPEN = 500000"),
    ],
    "tries during an outage count": [
        ("actors/pool/client_pool.c", "    if (!outage && ++ticket->tries", "    if (++ticket->tries"),
    ],
    "freed money wakes nobody": [
        ("actors/accountant.c", "    if (accountant->parked > 0) {", "    if (accountant->parked > 1000000) {"),
    ],
    "pool does not look again after a settlement": [
        ("actors/pool/client_pool.c", "    default: break;\n    }\n    pump(pool);",
         "    default: break;\n    }\n    if (message->kind != MSG_SETTLED)\n        pump(pool);"),
    ],
    "last completion is lost": [
        ("actors/pool/client_pool.c", "    if (news & ATTEMPT_WHOLE)\n",
         "    bool last = attempt_count(pool->desk) == 0 && waiting(pool) == 0 && pool->answers > 20;\n"
         "    if (news & ATTEMPT_WHOLE && last)\n        ticket_free(ticket);\n    else if (news & ATTEMPT_WHOLE)\n"),
    ],
    "planner forgets who waits for an embedding": [
        ("actors/planner.c", "    for (size_t i = 0; i < job->text_count; i++)\n        end_one(planner, job->keys[i]);",
         "    for (size_t i = 1; i < job->text_count; i++)\n        end_one(planner, job->keys[i]);"),
    ],
    "planner does not look again after a job": [
        ("actors/planner.c", "            planner->slots[waiter->slot].dirty = true;", "            ;"),
    ],
    "score is made although a simulation is missing": [
        ("actors/sweep/chain_look.c", "        all = all && state == CHAIN_DONE;", "        all = all || state == CHAIN_DONE;"),
    ],
    "full disk ends the run": [
        ("actors/archivist.c", "    if (commit->error.class_ != ERROR_RETRYABLE) {", "    if (commit->error.class_ != ERROR_NONE) {"),
    ],
    "a grant that lapsed is sent all the same": [
        ("actors/pool/endpoint.c", "    return down || endpoint->blocked_until > now;",
         "    return down && endpoint->breaker.state == BREAKER_SHUT && endpoint->blocked_until > now;"),
    ],
    "a grant that is given back keeps its room": [
        ("actors/pool/client_pool.c",
         "    endpoint_give_back(pool->endpoints[ticket->endpoint], &ticket->grant);\n    tell_ended(pool, ticket);",
         "    tell_ended(pool, ticket);"),
    ],
    "cancelled attempt is taken for unsent": [
        ("actors/pool/attempt.c", "    outcome->never_sent = !response->sent;",
         "    outcome->never_sent = !response->sent || outcome->verdict == RETRY_CANCELLED;"),
    ],
    "in-flight attempts count as handed back at Ctrl-C": [
        ("actors/pool/client_pool.c", "    if (verdict == RETRY_ANSWER)\n        tell_owner",
         "    if (verdict == RETRY_ANSWER && !pool->stopping)\n        tell_owner"),
    ],
}


def run(command, cwd, timeout):
    try:
        return subprocess.run(command, cwd=cwd, shell=True, capture_output=True, text=True, timeout=timeout,
                              errors="replace")
    except subprocess.TimeoutExpired:
        return None


def plant(copy, edits):
    for file, old, new in edits:
        path = os.path.join(copy, file)
        text = open(path).read()
        if old not in text:
            return f"{file} has changed: {old.strip().splitlines()[0]!r} is not there"
        open(path, "w").write(text.replace(old, new, 1))
    return None


def first_words(output):
    """What the first rehearsal that failed complained of: "seed 17: ..."."""
    lines = output.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("seed ") and i + 1 < len(lines):
            return f" ({line} {lines[i + 1].split(' s: ', 1)[-1][:100]})"
    for line in lines:
        if line.startswith("start ") and " s: " in line:
            return f" ({line.split(' s: ', 1)[1][:100]})"
    return ""


def caught_by(copy):
    """The first test that notices, and an error that kept us from asking."""
    for test in TESTS:
        binary = f"build/test/rehearsal/test_rehearsal_{test}"
        built = run(f"make -s WARN='-Wall' {binary}", copy, 900)
        if built is None or built.returncode:
            return None, (built.stderr[-400:] if built else "make takes too long")
        done = run(f"SEEDS={os.environ.get('SEEDS', '1000')} FAILURES=1 {binary}", copy, 600)
        if done is None:
            return f"{test} (no end)", None
        if done.returncode:
            return f"{test}{first_words(done.stdout + done.stderr)}", None
    return None, None


def main():
    names = sys.argv[1:] or list(MUTATIONS)
    missed = 0
    copy = tempfile.mkdtemp(prefix="glia-mutations-")
    for part in ["core", "store", "prompts", "actors", "tools", "test", "build", "Makefile", "config.toml"]:
        source = os.path.join(ROOT, part)
        if os.path.exists(source):  # copies keep their times, so that little is built again
            (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, os.path.join(copy, part))
    print("| planted bug | found by |\n|---|---|", flush=True)
    for name in names:
        files = {file for file, _, _ in MUTATIONS[name]}
        problem = plant(copy, MUTATIONS[name])
        found, error = (None, problem) if problem else caught_by(copy)
        print(f"| {name} | {error or found or '**nothing**'} |", flush=True)
        missed += not found
        for file in files:
            shutil.copy2(os.path.join(ROOT, file), os.path.join(copy, file))
            os.utime(os.path.join(copy, file))
    shutil.rmtree(copy)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
