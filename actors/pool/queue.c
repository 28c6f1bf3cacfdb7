/* queue.c - a list of tickets that is kept in the order of their jobs. */
#include "actors/pool/queue.h"

ticket_t *queue_after(const ticket_queue_t *queue, const ticket_t *before) {
    return before ? before->next : queue->first;
}

void queue_insert(ticket_queue_t *queue, ticket_t *ticket) {
    ticket_t *before = queue->last;
    if (before && before->job->order > ticket->job->order)
        for (before = NULL; queue_after(queue, before)->job->order <= ticket->job->order;)
            before = queue_after(queue, before);
    ticket->next = queue_after(queue, before);
    if (before)
        before->next = ticket;
    else
        queue->first = ticket;
    if (!ticket->next)
        queue->last = ticket;
    queue->count++;
}

ticket_t *queue_unlink(ticket_queue_t *queue, ticket_t *before) {
    ticket_t *ticket = queue_after(queue, before);
    if (before)
        before->next = ticket->next;
    else
        queue->first = ticket->next;
    if (queue->last == ticket)
        queue->last = before;
    ticket->next = NULL;
    queue->count--;
    return ticket;
}

const char *queue_broken(const ticket_queue_t *queue, ticket_state_t state) {
    const ticket_t *last = NULL;
    size_t count = 0;
    for (const ticket_t *ticket = queue->first; ticket; last = ticket, ticket = ticket->next) {
        if (++count > queue->count)
            return "a queue holds more tickets than it counts";
        if (last && last->job->order > ticket->job->order)
            return "a queue is not in the order of its jobs";
        if (ticket->state != state)
            return "a ticket in a queue is in another state";
    }
    if (count != queue->count)
        return "a queue holds fewer tickets than it counts";
    return last == queue->last ? NULL : "a queue does not know its end";
}
