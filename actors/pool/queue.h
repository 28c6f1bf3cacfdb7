/* queue.h - a queue of tickets in the order of their jobs.
 *
 * One that was refused by a cap, or has to be tried again, goes back to where it was: it does not
 * fall behind those that came after it. A walk may take tickets out on its way:
 *
 *     for (ticket_t *before = NULL, *ticket; (ticket = queue_after(&queue, before));)
 *         if (...it goes...)
 *             ...queue_unlink(&queue, before)...
 *         else
 *             before = ticket;
 *
 * Uses ticket->next. Frees nothing.
 */
#ifndef GLIA_ACTORS_POOL_QUEUE_H
#define GLIA_ACTORS_POOL_QUEUE_H

#include "actors/messages.h"

/* All zero: empty. */
typedef struct {
    ticket_t *first, *last;
    size_t count;
} ticket_queue_t;

/* Puts a ticket behind those whose job->order is not greater than its own. At once if that is the
 * end, else a walk. */
void queue_insert(ticket_queue_t *queue, ticket_t *ticket);
/* The ticket behind `before` (NULL: the first); NULL at the end. */
ticket_t *queue_after(const ticket_queue_t *queue, const ticket_t *before);
/* Takes the one behind `before` (NULL: the first) out; there must be one. It is the caller's. */
ticket_t *queue_unlink(ticket_queue_t *queue, ticket_t *before);
/* What does not hold of the queue (in order, counted, its end known, all in this state), or NULL.
 * Walks it. */
const char *queue_broken(const ticket_queue_t *queue, ticket_state_t state);

#endif
