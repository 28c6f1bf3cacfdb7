/* messages.c - making and releasing what actors send each other. */
#include "actors/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/batch_line.h"
#include "core/base/memory.h"
#include "core/base/text.h"

void job_free(void *pointer) {
    job_t *job = pointer;
    if (!job)
        return;
    free(job->label);
    free(job->explanation);
    free(job->baseline);
    for (size_t i = 0; i < job->text_count; i++)
        free(job->texts[i]);
    free(job->texts);
    free(job->keys);
    batch_line_free(job->line);
    free(job);
}

void job_fail(job_t *job, bool terminal, const char *verdict, const char *format, ...) {
    job_trouble_t *trouble = &job->trouble;
    job->outcome = OUTCOME_FAILED;
    trouble->terminal = terminal;
    snprintf(trouble->verdict, sizeof trouble->verdict, "%s", verdict);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trouble->message, sizeof trouble->message, format, arguments);
    va_end(arguments);
    trouble->message[text_utf8_valid_prefix(trouble->message, strlen(trouble->message))] = '\0';
}

void ticket_free(void *pointer) {
    ticket_t *ticket = pointer;
    if (!ticket)
        return;
    job_free(ticket->job);
    request_clear(&ticket->request);
    buffer_free(&ticket->body);
    buffer_free(&ticket->packed);
    free(ticket);
}

write_t *write_create(write_kind_t kind, actor_t *reply_to, void *context, void (*release_context)(void *)) {
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
