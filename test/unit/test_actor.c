/* test_actor.c - mailboxes, turns and ownership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/runtime/actor.h"
#include "test/unit/death.h"

/* A clock whose only timer is fired by hand. */
typedef struct {
    clock_port_t port;
    clock_fire_t *fire;
    void *context;
    bool started;
} hand_clock_t;

static int64_t hand_now(clock_port_t *clock) {
    (void)clock;
    return 1;
}

static clock_timer_t *hand_create(clock_port_t *clock, clock_fire_t *fire, void *context) {
    hand_clock_t *hand = (hand_clock_t *)clock;
    hand->fire = fire;
    hand->context = context;
    return (clock_timer_t *)hand;
}

static void hand_start(clock_port_t *clock, clock_timer_t *timer, int64_t at) {
    (void)timer;
    (void)at;
    ((hand_clock_t *)clock)->started = true;
}

static void hand_stop(clock_port_t *clock, clock_timer_t *timer) {
    (void)timer;
    ((hand_clock_t *)clock)->started = false;
}

static uint32_t hand_era(clock_port_t *clock) {
    (void)clock;
    return 0;
}

static hand_clock_t hand_clock(void) {
    return (hand_clock_t){
        .port = {hand_now, hand_now, hand_era, hand_create, hand_start, hand_stop, hand_stop}};
}

/* Fires until nothing is left to do; returns the number of times. */
static int run(hand_clock_t *hand) {
    int fired = 0;
    while (hand->started) {
        hand->started = false;
        hand->fire(hand->context);
        fired++;
    }
    return fired;
}

enum { KIND_A, KIND_B };

typedef struct {
    char *log; /* one character a message; shared by the actors of a test */
    char name;
    actor_t *peer;
    int started, freed;
    bool keeps; /* takes payloads out of messages */
} probe_t;

static void probe_start(actor_t *self, void *state) {
    (void)self;
    ((probe_t *)state)->started++;
}

static void probe_receive(actor_t *self, void *state, actor_message_t *message) {
    probe_t *probe = state;
    assert_int_equal(probe->started, 1);
    char *end = probe->log + strlen(probe->log);
    end[0] = probe->name;
    end[1] = '\0';
    if (probe->keeps) {
        free(message->payload);
        message->payload = NULL;
    }
    if (message->kind == KIND_B && probe->peer)
        actor_tell(probe->peer, self, KIND_A, message->correlation, NULL, NULL);
}

static void probe_free(void *state) {
    ((probe_t *)state)->freed++;
}

static const actor_definition_t definition = {
    .name = "probe",
    .kinds = ACTOR_KIND(KIND_A) | ACTOR_KIND(KIND_B),
    .mailbox = 4,
    .start = probe_start,
    .receive = probe_receive,
    .free = probe_free,
};

static int released;

static void release(void *payload) {
    released++;
    free(payload);
}

static void test_a_mailbox_is_bounded_and_keeps_order(void **state) {
    (void)state;
    char log[64] = "";
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    probe_t a = {.log = log, .name = 'a'};
    actor_t *actor = actor_create(scheduler, &definition, &a, 0);
    for (int i = 0; i < 4; i++)
        assert_true(actor_send(actor, NULL, KIND_A, 0, NULL, NULL));
    char *mine = memory_copy_string("still mine");
    assert_false(actor_send(actor, NULL, KIND_A, 0, mine, release));
    assert_string_equal(mine, "still mine");
    free(mine);
    run(&hand);
    assert_string_equal(log, "aaaa");
    assert_int_equal(scheduler_delivered(scheduler), 4);
    assert_true(actor_send(actor, NULL, KIND_A, 0, NULL, NULL));
    run(&hand);
    assert_string_equal(log, "aaaaa");
    scheduler_free(scheduler);
    assert_int_equal(a.freed, 1);
}

static void test_a_busy_actor_does_not_starve_others(void **state) {
    (void)state;
    char log[512] = "";
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    probe_t a = {.log = log, .name = 'a'}, b = {.log = log, .name = 'b'};
    actor_t *busy = actor_create(scheduler, &definition, &a, 200),
            *other = actor_create(scheduler, &definition, &b, 0);
    for (int i = 0; i < 200; i++)
        actor_tell(busy, NULL, KIND_A, 0, NULL, NULL);
    actor_tell(other, NULL, KIND_A, 0, NULL, NULL);
    run(&hand);
    assert_int_equal(strlen(log), 201);
    assert_int_equal(strchr(log, 'b') - log, ACTOR_BATCH);
    scheduler_free(scheduler);
}

static void test_payloads_have_one_owner(void **state) {
    (void)state;
    char log[64] = "";
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    probe_t a = {.log = log, .name = 'a'}, b = {.log = log, .name = 'b', .keeps = true};
    actor_t *leaves = actor_create(scheduler, &definition, &a, 0),
            *keeps = actor_create(scheduler, &definition, &b, 0);
    released = 0;
    actor_tell(leaves, NULL, KIND_A, 0, memory_copy_string("x"), release);
    actor_tell(keeps, NULL, KIND_A, 0, memory_copy_string("y"), release);
    run(&hand);
    assert_int_equal(released, 1); /* the one that nobody took */
    actor_tell(leaves, NULL, KIND_A, 0, memory_copy_string("z"), release);
    scheduler_free(scheduler);
    assert_int_equal(released, 2); /* undelivered ones go with the scheduler */
}

static void test_replies_reach_their_sender_in_a_later_turn(void **state) {
    (void)state;
    char log[64] = "";
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    probe_t a = {.log = log, .name = 'a'}, b = {.log = log, .name = 'b'};
    actor_t *first = actor_create(scheduler, &definition, &a, 0);
    b.peer = first;
    actor_t *second = actor_create(scheduler, &definition, &b, 0);
    actor_tell(second, first, KIND_B, 7, NULL, NULL);
    actor_tell(second, first, KIND_B, 8, NULL, NULL);
    run(&hand);
    assert_string_equal(log, "bbaa");
    scheduler_free(scheduler);
}

/* Every message takes one away; it must never have taken more than there were. */
typedef struct {
    int left;
    char broken[32]; /* what its invariant last said */
} stock_t;

static void stock_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    (void)message;
    stock_t *stock = state;
    stock->left--;
}

static const char *stock_broken(const void *state) {
    const stock_t *stock = state;
    return stock->left < 0 ? "less than nothing is left" : NULL;
}

static const actor_definition_t stock_definition = {.name = "stock",
                                                    .kinds = ACTOR_KIND(KIND_A),
                                                    .mailbox = 4,
                                                    .receive = stock_receive,
                                                    .broken = stock_broken};

static void watch_stock(void *context, const actor_t *actor, int kind) {
    assert_int_equal(kind, KIND_A);
    stock_t *stock = context;
    const char *broken = actor_broken(actor);
    snprintf(stock->broken, sizeof stock->broken, "%s", broken ? broken : "all is well");
}

static void take_from(stock_t *stock, int messages) {
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    scheduler_set_watch(scheduler, watch_stock, stock);
    actor_t *actor = actor_create(scheduler, &stock_definition, stock, 0);
    for (int i = 0; i < messages; i++)
        actor_tell(actor, NULL, KIND_A, 0, NULL, NULL);
    run(&hand);
    scheduler_free(scheduler);
}

static void take_too_much(void) {
    stock_t stock = {.left = 1};
    take_from(&stock, 2);
    assert_string_equal(stock.broken, "less than nothing is left");
}

static void start_broken(void) {
    stock_t stock = {.left = -1};
    take_from(&stock, 0);
}

/* A build with GLIA_CHECKS stops at the message that broke it; any other leaves the
 * asking to a watch. */
static void test_an_invariant_is_asked_after_each_message(void **state) {
    (void)state;
    stock_t stock = {.left = 2};
    take_from(&stock, 2);
    assert_string_equal(stock.broken, "all is well");
#ifdef GLIA_CHECKS
    assert_true(dies(take_too_much));
    assert_true(dies(start_broken));
#else
    assert_false(dies(start_broken));
    take_too_much();
#endif
    char log[8] = "";
    hand_clock_t hand = hand_clock();
    scheduler_t *scheduler = scheduler_create(&hand.port);
    probe_t a = {.log = log, .name = 'a'};
    /* it promises nothing */
    assert_null(actor_broken(actor_create(scheduler, &definition, &a, 0)));
    scheduler_free(scheduler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mailbox_is_bounded_and_keeps_order),
        cmocka_unit_test(test_a_busy_actor_does_not_starve_others),
        cmocka_unit_test(test_payloads_have_one_owner),
        cmocka_unit_test(test_replies_reach_their_sender_in_a_later_turn),
        cmocka_unit_test(test_an_invariant_is_asked_after_each_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
