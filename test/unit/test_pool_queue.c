/* test_pool_queue.c - tickets keep the order of their jobs, whatever the order in
 * which they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/pool/queue.h"
#include "core/base/rng.h"

enum { MOST = 12 };

typedef struct {
    job_t jobs[MOST];
    ticket_t tickets[MOST];
    ticket_queue_t queue;
} queue_test_t;

static void begin(queue_test_t *test) {
    *test = (queue_test_t){0};
    for (size_t i = 0; i < MOST; i++) {
        test->jobs[i].order = i;
        test->tickets[i].job = &test->jobs[i];
        test->tickets[i].state = TICKET_WAITING;
    }
}

static void insert(queue_test_t *test, size_t order) {
    queue_insert(&test->queue, &test->tickets[order]);
    assert_null(queue_broken(&test->queue, TICKET_WAITING));
}

static void assert_orders(const queue_test_t *test, size_t count, const uint64_t *orders) {
    const ticket_t *ticket = test->queue.first;
    assert_int_equal(test->queue.count, count);
    for (size_t i = 0; i < count; i++, ticket = ticket->next)
        assert_int_equal(ticket->job->order, orders[i]);
    assert_null(ticket);
}

static void late_ones_go_where_they_were(void **state) {
    (void)state;
    queue_test_t test;
    begin(&test);
    assert_null(queue_after(&test.queue, NULL));
    insert(&test, 5);
    insert(&test, 7);
    insert(&test, 9);
    insert(&test, 2); /* before all */
    insert(&test, 8); /* between */
    insert(&test, 11);
    assert_orders(&test, 6, (uint64_t[]){2, 5, 7, 8, 9, 11});
}

static void equals_stay_in_order_of_arrival(void **state) {
    (void)state;
    queue_test_t test;
    begin(&test);
    test.jobs[1].order = test.jobs[2].order = test.jobs[3].order = 4;
    insert(&test, 1);
    insert(&test, 6);
    insert(&test, 2);
    insert(&test, 3);
    assert_ptr_equal(queue_after(&test.queue, NULL), &test.tickets[1]);
    assert_ptr_equal(queue_after(&test.queue, &test.tickets[1]), &test.tickets[2]);
    assert_ptr_equal(queue_after(&test.queue, &test.tickets[2]), &test.tickets[3]);
    assert_ptr_equal(queue_after(&test.queue, &test.tickets[3]), &test.tickets[6]);
}

/* Takes out those whose bit is set, on one walk. */
static void take_out(queue_test_t *test, unsigned which) {
    ticket_queue_t *queue = &test->queue;
    for (ticket_t *before = NULL, *ticket; (ticket = queue_after(queue, before));)
        if (which >> ticket->job->order & 1) {
            assert_ptr_equal(queue_unlink(queue, before), ticket);
            assert_null(ticket->next);
        } else {
            before = ticket;
        }
    assert_null(queue_broken(queue, TICKET_WAITING));
}

static void a_walk_takes_out_any(void **state) {
    (void)state;
    for (unsigned which = 0; which < 1 << 4; which++) {
        queue_test_t test;
        begin(&test);
        size_t left = 0;
        uint64_t orders[4];
        for (size_t i = 0; i < 4; i++) {
            insert(&test, i);
            if (!(which >> i & 1))
                orders[left++] = i;
        }
        take_out(&test, which);
        assert_orders(&test, left, orders);
        insert(&test, 9); /* behind the last that is left */
        assert_ptr_equal(test.queue.last, &test.tickets[9]);
    }
}

static void any_order_of_arrival_is_mended(void **state) {
    (void)state;
    rng_t rng = rng_create(1);
    for (int round = 0; round < 200; round++) {
        queue_test_t test;
        begin(&test);
        size_t arrivals[MOST];
        uint64_t orders[MOST];
        for (size_t i = 0; i < MOST; i++)
            arrivals[i] = orders[i] = i;
        rng_shuffle(&rng, arrivals, MOST);
        for (size_t i = 0; i < MOST; i++)
            insert(&test, arrivals[i]);
        assert_orders(&test, MOST, orders);
    }
}

static void what_is_broken_is_said(void **state) {
    (void)state;
    queue_test_t test;
    begin(&test);
    for (size_t i = 0; i < 4; i++)
        insert(&test, i);
    test.jobs[2].order = 0;
    assert_string_equal(queue_broken(&test.queue, TICKET_WAITING),
                        "a queue is not in the order of its jobs");
    test.jobs[2].order = 2;
    test.tickets[3].state = TICKET_READY;
    assert_string_equal(queue_broken(&test.queue, TICKET_WAITING),
                        "a ticket in a queue is in another state");
    test.tickets[3].state = TICKET_WAITING;
    test.queue.count++;
    assert_string_equal(queue_broken(&test.queue, TICKET_WAITING),
                        "a queue holds fewer tickets than it counts");
    test.queue.count -= 2;
    assert_string_equal(queue_broken(&test.queue, TICKET_WAITING),
                        "a queue holds more tickets than it counts");
    test.queue.count++;
    test.queue.last = &test.tickets[0];
    assert_string_equal(queue_broken(&test.queue, TICKET_WAITING), "a queue does not know its end");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_ones_go_where_they_were),
        cmocka_unit_test(equals_stay_in_order_of_arrival),
        cmocka_unit_test(a_walk_takes_out_any),
        cmocka_unit_test(any_order_of_arrival_is_mended),
        cmocka_unit_test(what_is_broken_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
