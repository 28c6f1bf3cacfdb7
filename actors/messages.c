/* messages.c - making and releasing what actors send each other. */
#include "actors/messages.h"

#include <stdlib.h>

#include "core/base/memory.h"

void ticket_free(void *pointer) {
    ticket_t *ticket = pointer;
    if (!ticket)
        return;
    job_free(ticket->job);
    request_clear(&ticket->request);
    buffer_free(&ticket->outcome.body);
    buffer_free(&ticket->outcome.packed);
    free(ticket);
}

write_t *write_create(write_kind_t kind, actor_t *reply_to, void *context,
                      void (*release_context)(void *)) {
    write_t *write = MEMORY_NEW(write_t);
    write->kind = kind;
    write->reply_to = reply_to;
    write->context = context;
    write->release_context = release_context;
    return write;
}

void write_free(void *pointer) {
    write_t *write = pointer;
    if (!write)
        return;
    if (write->context && write->release_context)
        write->release_context(write->context);
    buffer_free(&write->packed);
    buffer_free(&write->result);
    for (size_t i = 0; i < write->vector_count; i++)
        free(write->vectors[i].values);
    free(write->vectors);
    free(write->key);
    free(write);
}
